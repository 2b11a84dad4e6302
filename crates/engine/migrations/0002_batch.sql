-- The two halves of a batch, each one call with one document: everything that is locked before the commands are decided, and everything that is written
-- after.
--
-- Both are volatile, so that each of their statements sees what was committed up to its own beginning, as if the client had sent it by itself: a
-- statement that waited for a lock is followed by one that sees what was waited for. They run with the caller's rights.

-- Takes the locks of a batch, always in this order, each by a statement of its own with sorted keys: the follower's cursor, requests, fences, keys,
-- aggregates, counters, the head. Then reads states and business time. What is wanted, each where there is any:
--   feed        {name, from, sources}: the followed feed, the position from which its events come, the aggregates that they are about
--   requests    [{principal, method, id, fingerprint, makes}]: makes is the aggregate, if any, that the command is to make and to answer with
--   fences      [case]: cases whose fences are shared
--   keys        [{kind, key}]
--   aggregates  [id]
--   counters    [name]
-- New rows are written as most of them stay, aggregates and results with version 1: nobody sees them before the end of the batch corrects the others.
-- What was found:
--   cursor      {incarnation, position}: where the feed's cursor stands
--   parked      [aggregate]: which of the feed's aggregates have parked events
--   rows        missing where something is not as it was read, or was gone before it could be locked: the batch starts again
--     former    [{principal, method, id, fingerprint, aggregate, version}]: the requests that were there before, with their results
--     fences    {case: epoch}: the fences that exist
--     held      [{kind, key, holder}]: the keys that others hold
--     states    [{id, version, state}] of the locked aggregates that were there before, holders of keys included
--     fresh     [id]: those that have only got a row now
--     counters  {name: value}
--     head      {incarnation, position, hash, time}
--     now       business time: simulated where the clock is, otherwise the machine's
create function lock_batch(wanted jsonb) returns jsonb
language plpgsql volatile as $$
declare
    answer jsonb := '{}';
    rows jsonb := '{}';
    part jsonb;
    ids text[];
    fresh text[];
    cursor_incarnation text;
    cursor_position bigint;
    inserted bigint;
    again bigint;
begin
    if wanted ? 'feed' then
        loop
            select incarnation, position into cursor_incarnation, cursor_position
                from feed_cursor where feed = wanted #>> '{feed,name}' for no key update;
            exit when found;
            insert into feed_cursor (feed) values (wanted #>> '{feed,name}') on conflict do nothing;
        end loop;
        answer := answer || jsonb_build_object('cursor',
            jsonb_build_object('incarnation', cursor_incarnation, 'position', cursor_position));
        -- Another replica was faster.
        if cursor_position <> (wanted #> '{feed,from}')::bigint then
            return answer;
        end if;
        -- Under the cursor's lock: an operator who empties the queue of an aggregate holds it too.
        select jsonb_agg(distinct aggregate) into part
            from parked_event
            where feed = wanted #>> '{feed,name}' and aggregate in (select jsonb_array_elements_text(wanted #> '{feed,sources}'));
        answer := answer || jsonb_build_object('parked', coalesce(part, '[]'));
    end if;

    if wanted ? 'requests' then
        insert into request (principal, method, id, fingerprint, aggregate, version)
            select principal, method, id, fingerprint, coalesce(makes, ''), case when makes is null then 0 else 1 end
            from jsonb_to_recordset(wanted -> 'requests') as u (principal text, method text, id text, fingerprint bytea, makes text)
            order by principal, method, id
            on conflict do nothing;
        get diagnostics inserted = row_count;
        if inserted < jsonb_array_length(wanted -> 'requests') then
            -- All but what this transaction inserted.
            select jsonb_agg(jsonb_build_object('principal', r.principal, 'method', r.method, 'id', r.id,
                       'fingerprint', encode(r.fingerprint, 'hex'), 'aggregate', r.aggregate, 'version', r.version))
                into part
                from jsonb_to_recordset(wanted -> 'requests') as u (principal text, method text, id text)
                join request r using (principal, method, id)
                where r.xmin <> pg_current_xact_id()::xid and r.aggregate <> '';
            if inserted + coalesce(jsonb_array_length(part), 0) <> jsonb_array_length(wanted -> 'requests') then
                return answer;
            end if;
            rows := rows || jsonb_build_object('former', part);
        end if;
    end if;

    if wanted ? 'fences' then
        select jsonb_object_agg(case_name, epoch), count(*) into part, again
            from (select f.case_name, f.epoch
                  from jsonb_array_elements_text(wanted -> 'fences') as u (case_name) join fence f using (case_name)
                  order by f.case_name for share of f) as shared;
        -- A missing row locks nothing: raising comes first, so it must be there.
        if again <> jsonb_array_length(wanted -> 'fences') then
            return answer;
        end if;
        rows := rows || jsonb_build_object('fences', part);
    end if;

    if wanted ? 'keys' then
        insert into unique_key (kind, key, holder)
            select kind, key, '' from jsonb_to_recordset(wanted -> 'keys') as u (kind text, key text) order by kind, key
            on conflict do nothing;
        get diagnostics inserted = row_count;
        if inserted < jsonb_array_length(wanted -> 'keys') then
            select jsonb_agg(jsonb_build_object('kind', kind, 'key', key, 'holder', holder)), array_agg(holder) into part, ids
                from jsonb_to_recordset(wanted -> 'keys') as u (kind text, key text)
                join unique_key using (kind, key) where holder <> '';
            if inserted + coalesce(jsonb_array_length(part), 0) <> jsonb_array_length(wanted -> 'keys') then
                return answer;
            end if;
            rows := rows || jsonb_build_object('held', part);
        end if;
    end if;

    -- So far the holders of keys.
    if wanted ? 'aggregates' then
        with inserted as (
            insert into aggregate (id, version)
                select id, 1 from jsonb_array_elements_text(wanted -> 'aggregates') as u (id) order by id
                on conflict do nothing returning id
        )
        select array_agg(id) into fresh from inserted;
        rows := rows || jsonb_build_object('fresh', coalesce(to_jsonb(fresh), '[]'));
    end if;
    -- Nobody else sees rows that this transaction has inserted.
    if ids is not null or cardinality(fresh) is distinct from jsonb_array_length(wanted -> 'aggregates') then
        ids := array(select unnest(ids) union select jsonb_array_elements_text(wanted -> 'aggregates') except select unnest(fresh));
        select count(*) into again
            from (select from unnest(ids) as u (id) join aggregate a using (id) order by a.id for no key update of a) as locked;
        if again <> cardinality(ids) then
            return answer;
        end if;
    end if;
    if rows ? 'held' then
        select count(*) into again
            from jsonb_to_recordset(rows -> 'held') as u (kind text, key text, holder text)
            join unique_key using (kind, key, holder);
        if again <> jsonb_array_length(rows -> 'held') then
            return answer;
        end if;
    end if;

    if wanted ? 'counters' then
        insert into counter (name, value)
            select name, 0 from jsonb_array_elements_text(wanted -> 'counters') as u (name) order by name
            on conflict do nothing;
        select jsonb_object_agg(name, value) into part
            from (select c.name, c.value from jsonb_array_elements_text(wanted -> 'counters') as u (name) join counter c using (name)
                  order by c.name for no key update of c) as locked;
        rows := rows || jsonb_build_object('counters', part);
    end if;

    select jsonb_build_object('incarnation', incarnation, 'position', position, 'hash', encode(hash, 'hex'),
                              'time', nullif(time, '-infinity'))
        into part
        from ledger_head for no key update;
    rows := rows || jsonb_build_object('head', part);
    if cardinality(ids) > 0 then
        part := load_states(ids);
        if jsonb_array_length(part) <> cardinality(ids) then
            return answer;
        end if;
        rows := rows || jsonb_build_object('states', part);
    end if;
    return answer || jsonb_build_object('rows',
        rows || jsonb_build_object('now', coalesce((select simulated_at from clock), clock_timestamp())));
end
$$;

-- Defines load_states and save_states for the tables in which a service keeps its states: {collection: table}, each table with the columns id, version
-- and state. A service's migrations call it, with all collections again when one joins them.
--
-- load_states reads the states of aggregates, each known by its collection, the beginning of its id: [{id, version, state}].
-- save_states writes the states of fresh aggregates, {collection: [{id, after, state}]}, and of others if they still have the version from which they
-- were changed, {collection: [{id, before, after, state}]}. It answers how many it wrote.
create function keep_states_in(tables jsonb) returns void
language plpgsql as $define$
declare
    name text;
    place text;
    theirs text[];
    loading text := '';
    saving text := '';
begin
    for place, theirs in select value, array_agg(key) from jsonb_each_text(tables) group by value loop
        loading := loading || format($part$
    if collections && %2$L then
        select jsonb_agg(jsonb_build_object('id', id, 'version', version, 'state', state)) into part
            from unnest(ids) as u (id) join %1$I using (id);
        loaded := loaded || coalesce(part, '[]');
    end if;$part$, place, theirs);
    end loop;
    execute format($function$
create or replace function load_states(ids text[]) returns jsonb
language plpgsql volatile as $body$
declare
    collections constant text[] := array(select distinct split_part(id, '/', 1) from unnest(ids) as u (id));
    loaded jsonb := '[]';
    part jsonb;
begin%s
    return loaded;
end
$body$
$function$, loading);
    for name, place in select key, value from jsonb_each_text(tables) loop
        saving := saving || format($part$
    if fresh ? %1$L then
        insert into %2$I (id, version, state)
            select id, after, coalesce(state, 'null') from jsonb_to_recordset(fresh -> %1$L) as u (id text, after bigint, state jsonb)
            on conflict do nothing;
        get diagnostics written = row_count;
        saved := saved + written;
    end if;
    if changed ? %1$L then
        update %2$I t set version = u.after, state = coalesce(u.state, 'null')
            from jsonb_to_recordset(changed -> %1$L) as u (id text, before bigint, after bigint, state jsonb)
            where t.id = u.id and t.version = u.before;
        get diagnostics written = row_count;
        saved := saved + written;
    end if;$part$, name, place);
    end loop;
    execute format($function$
create or replace function save_states(fresh jsonb, changed jsonb) returns bigint
language plpgsql volatile as $body$
declare
    saved bigint := 0;
    written bigint;
begin%s
    return saved;
end
$body$
$function$, saving);
end
$define$;

-- Writes what a batch decided. What is written, each where there is any:
--   rejected    [{principal, method, id}]: requests that were rejected
--   done        [{principal, method, id, aggregate, version}]: those that were accepted, with their results where these were not expected
--   held        [{kind, key, holder}]: keys with their new holders
--   free        [{kind, key}]
--   counters    [{name, value}]
--   unused      [id]: aggregates that got a row to lock and did not come to be
--   versions    [{id, before, after}] of the changed aggregates whose rows do not say it yet
--   fresh, changed, states: the states of all changed aggregates, see save_states, and how many these are
--   moved       [aggregate]: aggregates whose former deadlines go
--   deadlines   [{aggregate, step, due, policy, calendar, provisional}] that come
--   rows        [{position, type, …}]: the ledger's, in order
--   head        {position, hash, time}: where the head stands now
--   cursor      {feed, incarnation, position}: where the feed's cursor stands now
create function write_batch(batch jsonb) returns void
language plpgsql volatile as $$
declare
    advanced bigint;
    refusal constant text := 'an aggregate does not have the version that was locked';
begin
    if batch ? 'rejected' then
        delete from request r
            using jsonb_to_recordset(batch -> 'rejected') as u (principal text, method text, id text)
            where r.principal = u.principal and r.method = u.method and r.id = u.id;
    end if;
    if batch ? 'done' then
        update request r set aggregate = u.aggregate, version = u.version
            from jsonb_to_recordset(batch -> 'done') as u (principal text, method text, id text, aggregate text, version bigint)
            where r.principal = u.principal and r.method = u.method and r.id = u.id;
    end if;
    if batch ? 'held' then
        update unique_key k set holder = u.holder
            from jsonb_to_recordset(batch -> 'held') as u (kind text, key text, holder text)
            where k.kind = u.kind and k.key = u.key;
    end if;
    if batch ? 'free' then
        delete from unique_key k
            using jsonb_to_recordset(batch -> 'free') as u (kind text, key text)
            where k.kind = u.kind and k.key = u.key;
    end if;
    if batch ? 'counters' then
        update counter c set value = u.value
            from jsonb_to_recordset(batch -> 'counters') as u (name text, value bigint) where c.name = u.name;
    end if;
    if batch ? 'unused' then
        delete from aggregate a using jsonb_array_elements_text(batch -> 'unused') as u (id) where a.id = u.id and a.version = 1;
    end if;
    if batch ? 'versions' then
        update aggregate a set version = u.after
            from jsonb_to_recordset(batch -> 'versions') as u (id text, before bigint, after bigint)
            where a.id = u.id and a.version = u.before;
        get diagnostics advanced = row_count;
        if advanced <> jsonb_array_length(batch -> 'versions') then
            raise exception '%', refusal using errcode = 'serialization_failure';
        end if;
    end if;
    if batch ? 'states' then
        if save_states(batch -> 'fresh', batch -> 'changed') <> (batch -> 'states')::bigint then
            raise exception '%', refusal using errcode = 'serialization_failure';
        end if;
    end if;
    if batch ? 'moved' then
        delete from deadline d using jsonb_array_elements_text(batch -> 'moved') as u (id) where d.aggregate = u.id;
    end if;
    if batch ? 'deadlines' then
        insert into deadline (aggregate, step, due, policy_version, calendar_version, provisional)
            select aggregate, step, due, policy, calendar, provisional
            from jsonb_to_recordset(batch -> 'deadlines') as u (aggregate text, step text, due timestamptz, policy text,
                calendar text, provisional boolean);
    end if;
    if batch ? 'rows' then
        insert into ledger (position, type, aggregate, version, payload, actor, on_behalf, capacity, case_name, branch,
                            request_id, cause, time, hash)
            select position, type, aggregate, version, payload, actor, on_behalf, capacity, case_name, branch,
                   request_id, cause, time, hash
            from jsonb_to_recordset(batch -> 'rows') as u (position bigint, type text, aggregate text, version bigint,
                payload bytea, actor text, on_behalf text, capacity text, case_name text, branch text, request_id text,
                cause text, time timestamptz, hash bytea);
    end if;
    if batch ? 'head' then
        update ledger_head set position = u.position, hash = u.hash, time = u.time
            from jsonb_to_record(batch -> 'head') as u (position bigint, hash bytea, time timestamptz);
    end if;
    if batch ? 'cursor' then
        update feed_cursor c set incarnation = u.incarnation, position = u.position
            from jsonb_to_record(batch -> 'cursor') as u (feed text, incarnation text, position bigint) where c.feed = u.feed;
    end if;
end
$$;
