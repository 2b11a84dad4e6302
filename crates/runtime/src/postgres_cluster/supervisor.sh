# Runs one Postgres server and stops it when standard input closes, which it does however our parent ends, kill -9
# included. $1: directory to remove after the server has stopped, or empty. $2 and on: the server and its arguments.
cleanup=$1
shift
exec 3<&0
"$@" </dev/null >&2 3<&- &
server=$!
echo "$server"
(
    read -r _ <&3
    # INT is Postgres's fast shutdown: sessions end, a checkpoint is written.
    kill -INT "$server" 2>/dev/null
) >/dev/null &
watcher=$!
exec 3<&-
wait "$server"
code=$?
kill "$watcher" 2>/dev/null
[ -z "$cleanup" ] || rm -rf -- "$cleanup"
exit "$code"
