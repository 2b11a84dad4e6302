), head as materialized (
    select 2 * nextval('ledger_position') as position, sha256(decode(repeat('a5', 232), 'hex')) as hash, clock_timestamp() as time
    from written where written.rows = 6
)
