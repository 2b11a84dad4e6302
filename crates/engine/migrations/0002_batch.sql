-- The two halves of a batch, each in one round trip: everything that is locked before the commands are decided, and everything that is written after.
--
-- Both are volatile, so that each of their statements sees what was committed up to its own beginning, as if the client had sent it by itself: a
-- statement that waited for a lock is followed by one that sees what was waited for. They run with the caller's rights.

-- Takes the locks of a batch, always in this order, each by a statement of its own with sorted keys: the follower's cursor, requests, fences, keys,
-- aggregates, counters, the head. Then reads business time.
create function lock_batch(
    -- The followed feed, or '', the position from which its events come, and the aggregates that they are about.
    the_feed text, feed_from bigint, feed_sources text[],
    -- Requests.
    principals text[], methods text[], ids text[], fingerprints bytea[],
    -- Cases whose fences are shared.
    cases text[],
    -- Unique keys.
    kinds text[], keys text[],
    -- Aggregates and counters by name.
    aggregates text[], counters text[],
    -- False: something is not as it was read, or was gone before it could be locked; the batch starts again.
    out settled boolean,
    -- Where the cursor stands, and which of the feed's aggregates have parked events.
    out cursor_incarnation text, out cursor_position bigint, out parked text[],
    -- The requests that were there before, with their results.
    out former_principals text[], out former_methods text[], out former_ids text[], out former_fingerprints bytea[],
    out former_aggregates text[], out former_versions bigint[],
    -- The fences that exist, and their epochs.
    out fence_cases text[], out fence_epochs bigint[],
    -- The keys that others hold.
    out held_kinds text[], out held_keys text[], out holders text[],
    -- The locked aggregates, holders of keys included, with their versions; which of them have only got a row now.
    out locked_ids text[], out locked_versions bigint[], out fresh_ids text[],
    out counter_names text[], out counter_values bigint[],
    out head_incarnation uuid, out head_position bigint, out head_hash bytea, out head_time timestamptz,
    -- Business time: simulated where the clock is, otherwise the machine's.
    out business_time timestamptz
)
language plpgsql volatile as $$
declare
    inserted bigint;
    again bigint;
begin
    settled := false;
    if the_feed <> '' then
        loop
            select incarnation, position into cursor_incarnation, cursor_position
                from feed_cursor where feed = the_feed for no key update;
            exit when found;
            insert into feed_cursor (feed) values (the_feed) on conflict do nothing;
        end loop;
        -- Another replica was faster.
        if cursor_position <> feed_from then
            return;
        end if;
        -- Under the cursor's lock: an operator who empties the queue of an aggregate holds it too.
        select array_agg(distinct aggregate) into parked
            from parked_event where feed = the_feed and aggregate = any (feed_sources);
    end if;

    if cardinality(ids) > 0 then
        insert into request (principal, method, id, fingerprint)
            select p, m, i, f from unnest(principals, methods, ids, fingerprints) as u (p, m, i, f) order by p, m, i
            on conflict do nothing;
        get diagnostics inserted = row_count;
        if inserted < cardinality(ids) then
            -- What this transaction inserted has no result yet.
            select array_agg(principal), array_agg(method), array_agg(id), array_agg(fingerprint), array_agg(aggregate),
                   array_agg(version)
                into former_principals, former_methods, former_ids, former_fingerprints, former_aggregates, former_versions
                from request
                where (principal, method, id) in (select * from unnest(principals, methods, ids)) and aggregate <> '';
            if inserted + coalesce(cardinality(former_ids), 0) <> cardinality(ids) then
                return;
            end if;
        end if;
    end if;

    if cardinality(cases) > 0 then
        select array_agg(case_name), array_agg(epoch) into fence_cases, fence_epochs
            from (select case_name, epoch from fence where case_name = any (cases) order by case_name for share) as shared;
        -- A missing row locks nothing: raising comes first, so it must be there.
        if coalesce(cardinality(fence_cases), 0) <> cardinality(cases) then
            return;
        end if;
    end if;

    if cardinality(keys) > 0 then
        insert into unique_key (kind, key, holder)
            select k, n, '' from unnest(kinds, keys) as u (k, n) order by k, n
            on conflict do nothing;
        get diagnostics inserted = row_count;
        if inserted < cardinality(keys) then
            select array_agg(kind), array_agg(key), array_agg(holder) into held_kinds, held_keys, holders
                from unique_key where (kind, key) in (select * from unnest(kinds, keys)) and holder <> '';
            if inserted + coalesce(cardinality(holders), 0) <> cardinality(keys) then
                return;
            end if;
        end if;
    end if;

    if cardinality(aggregates) > 0 then
        with fresh as (
            insert into aggregate (id, version) select i, 0 from unnest(aggregates) as u (i) order by i
            on conflict do nothing returning id
        )
        select array_agg(id) into fresh_ids from fresh;
    end if;
    if holders is null and coalesce(cardinality(fresh_ids), 0) = cardinality(aggregates) then
        -- Nobody else sees rows that this transaction has inserted.
        locked_ids := fresh_ids;
        locked_versions := array_fill(0::bigint, array[cardinality(aggregates)]);
    else
        select array_agg(id), array_agg(version) into locked_ids, locked_versions
            from (select id, version from aggregate
                  where id = any (aggregates || holders) order by id for no key update) as locked;
        select count(distinct id) into again from unnest(aggregates || holders) as u (id);
        if coalesce(cardinality(locked_ids), 0) <> again then
            return;
        end if;
    end if;
    if holders is not null then
        select count(*) into again
            from unnest(held_kinds, held_keys, holders) as u (k, n, h)
            join unique_key on kind = k and key = n and holder = h;
        if again <> cardinality(holders) then
            return;
        end if;
    end if;

    if cardinality(counters) > 0 then
        insert into counter (name, value) select n, 0 from unnest(counters) as u (n) order by n on conflict do nothing;
        select array_agg(name), array_agg(value) into counter_names, counter_values
            from (select name, value from counter where name = any (counters) order by name for no key update) as locked;
    end if;

    select incarnation, position, hash, nullif(time, '-infinity')
        into head_incarnation, head_position, head_hash, head_time
        from ledger_head for no key update;
    business_time := coalesce((select simulated_at from clock), clock_timestamp());
    settled := true;
end
$$;

-- Writes what a batch decided beside the states, which the service has saved before: requests, keys, counters, versions, deadlines, the ledger's rows and
-- the head, the follower's cursor. Answers how many aggregates still had the version from which they were changed.
create function write_batch(
    -- Requests that were rejected, and those that were accepted with their results.
    rejected_principals text[], rejected_methods text[], rejected_ids text[],
    done_principals text[], done_methods text[], done_ids text[], done_aggregates text[], done_versions bigint[],
    -- Keys with their new holders, and keys that are free.
    held_kinds text[], held_keys text[], holders text[],
    free_kinds text[], free_keys text[],
    counter_names text[], counter_values bigint[],
    -- Aggregates that got a row to lock and did not come to be.
    unused_ids text[],
    changed_ids text[], versions_before bigint[], versions_after bigint[],
    -- Aggregates whose former deadlines go, and the deadlines that come.
    moved_ids text[],
    due_ids text[], due_steps text[], due_times timestamptz[], due_policies text[], due_calendars text[],
    due_provisional boolean[],
    -- The ledger's rows, in order.
    positions bigint[], types text[], row_aggregates text[], row_versions bigint[], payloads bytea[], actors text[],
    behalves text[], capacities text[], cases text[], branches text[], request_ids text[], causes text[],
    times timestamptz[], hashes bytea[],
    -- Where the head stands now; null where it does not move.
    head_to bigint, head_hash bytea, head_time timestamptz,
    -- The followed feed, or '', and where its cursor stands now.
    the_feed text, feed_incarnation text, feed_to bigint
) returns bigint
language plpgsql volatile as $$
declare
    advanced bigint := 0;
begin
    if cardinality(rejected_ids) > 0 then
        delete from request where (principal, method, id) in
            (select * from unnest(rejected_principals, rejected_methods, rejected_ids));
    end if;
    if cardinality(done_ids) > 0 then
        update request r set aggregate = u.a, version = u.v
            from unnest(done_principals, done_methods, done_ids, done_aggregates, done_versions) as u (p, m, i, a, v)
            where r.principal = u.p and r.method = u.m and r.id = u.i;
    end if;
    if cardinality(held_keys) > 0 then
        update unique_key k set holder = u.h
            from unnest(held_kinds, held_keys, holders) as u (k, n, h) where k.kind = u.k and k.key = u.n;
    end if;
    if cardinality(free_keys) > 0 then
        delete from unique_key where (kind, key) in (select * from unnest(free_kinds, free_keys));
    end if;
    if cardinality(counter_names) > 0 then
        update counter c set value = u.v from unnest(counter_names, counter_values) as u (n, v) where c.name = u.n;
    end if;
    if cardinality(unused_ids) > 0 then
        delete from aggregate where id = any (unused_ids) and version = 0;
    end if;
    if cardinality(changed_ids) > 0 then
        update aggregate a set version = u.n
            from unnest(changed_ids, versions_before, versions_after) as u (i, o, n)
            where a.id = u.i and a.version = u.o;
        get diagnostics advanced = row_count;
    end if;
    if cardinality(moved_ids) > 0 then
        delete from deadline where aggregate = any (moved_ids);
    end if;
    if cardinality(due_ids) > 0 then
        insert into deadline (aggregate, step, due, policy_version, calendar_version, provisional)
            select * from unnest(due_ids, due_steps, due_times, due_policies, due_calendars, due_provisional);
    end if;
    if cardinality(positions) > 0 then
        insert into ledger (position, type, aggregate, version, payload, actor, on_behalf, capacity, case_name, branch,
                            request_id, cause, time, hash)
            select * from unnest(positions, types, row_aggregates, row_versions, payloads, actors, behalves, capacities,
                                 cases, branches, request_ids, causes, times, hashes);
    end if;
    if head_to is not null then
        update ledger_head set position = head_to, hash = head_hash, time = head_time;
    end if;
    if the_feed <> '' then
        update feed_cursor set incarnation = feed_incarnation, position = feed_to where feed = the_feed;
    end if;
    return advanced;
end
$$;
