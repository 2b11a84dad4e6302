-- Fills schema `ownership` with any number of cases, in the likeness of one open and one closed case that the product itself has made. Numbers count
-- into the past: the larger, the older. What is open stays the same little at every size, as in a firm that works; the closed are the bulk.
create schema bench;

create table bench.template as
select o.state as open_case, d.state as closed_case, k.state as contact, (o.state ->> 'opened_at')::timestamptz as time
from ownership.cases o, ownership.cases d, ownership.contacts k
where o.phase = 'open' and d.phase = 'closed' and k.case_name = o.id
limit 1;

-- A UUID of version 7 of the time at which case `number` was opened, a second before its predecessor.
create function bench.case_name(number bigint) returns text language sql stable as $$
    select 'cases/' || substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7' || substr(chance, 1, 3) || '-8' || substr(chance, 4, 3) || '-'
        || substr(chance, 7, 12)
    from bench.template, lateral (select lpad(to_hex((extract(epoch from time) * 1000)::bigint - number * 1000), 12, '0') as ms) as m,
        lateral (select md5(number::text) as chance) as c
$$;

-- Five cases of each client, of which the first is open while clients are few.
create function bench.client(number bigint) returns text language sql immutable as $$ select 'bench-' || number / 5 $$;

create procedure bench.fill(first bigint, last bigint) language plpgsql as $$
declare
    open_cases constant bigint := 10000;
    -- Requests are forgotten then.
    kept constant interval := '7 days';
    head ownership.ledger_head;
begin
    create temporary table filled on commit drop as
    select n, n % 5 = 0 and n < open_cases as is_open, bench.case_name(n) as case_name, 'contacts/' || md5(n::text)::uuid as contact,
        bench.client(n) as client, 'employees/bench-' || lpad((1 + n / 5 % 700)::text, 4, '0') as employee,
        'branches/bench-' || (1 + (1 + n / 5 % 700) % 4) as branch, t.time - n * interval '1 second' as opened,
        -- One in seven is overdue, in every branch.
        t.time + (n % 3600) * interval '1 second' + case when n % 35 = 0 then interval '-1 day' else interval '3 days' end as due
    from generate_series(first, last) as n, bench.template t;

    insert into ownership.cases (id, version, state)
    select case_name, 1, jsonb_set(case when is_open then open_case else closed_case end || case
        -- One in fifty was merged into its client's first.
        when n % 50 = 1 then jsonb_build_object('phase', jsonb_build_object('state', 'merged', 'into', bench.case_name(n - 1)))
        else '{}' end || jsonb_build_object('handler', employee, 'accountable',
        employee, 'first_responder', employee, 'branch', branch, 'contact', f.contact, 'client', client, 'opened_at', opened),
        '{clocks,-1,due}', to_jsonb(due))
    from filled f, bench.template;
    insert into ownership.contacts (id, version, state)
    select f.contact, 1, t.contact || jsonb_build_object('case', case_name, 'employee', employee, 'branch', branch, 'claimed_at', opened)
    from filled f, bench.template t;
    insert into ownership.aggregate (id, version) select unnest(array[case_name, contact]), 1 from filled;
    insert into ownership.request (principal, method, id, fingerprint, aggregate, version)
    select employee || ' ' || employee, 'Claim', md5(f.contact)::uuid::text, sha256(f.contact::bytea), case_name, 1
    from filled f, bench.template t where opened > t.time - kept;
    insert into ownership.client_file (client, branch) select client, min(branch) from filled group by client on conflict do nothing;
    insert into ownership.unique_key (kind, key, holder) select 'open_case', client || '|general', case_name from filled where is_open;
    -- What is overdue has gone its way up already.
    insert into ownership.deadline (aggregate, step, due, policy_version, calendar_version, provisional)
    select case_name, 'answer', due, 'ownership@default hours@default', '', false from filled, bench.template t
    where is_open and due > t.time + interval '2 hours';

    select * into head from ownership.ledger_head;
    insert into ownership.ledger (position, type, aggregate, version, payload, actor, on_behalf, capacity, case_name, branch, request_id, cause, time,
        hash)
    select head.position + 1 + 2 * (n - first) + part, (array['contact_claimed', 'case_opened'])[part + 1], (array[contact, case_name])[part + 1], 1,
        decode(repeat('a5', 170), 'hex'), employee, employee, '', case_name, branch, md5(contact)::uuid::text, '', head.time, head.hash
    from filled, generate_series(0, 1) as part;
    insert into ownership.timeline (service, position, time, type, aggregate, case_name, actor, on_behalf, capacity, cause)
    select 'calls', n + 1, opened, 'call_ended', 'calls/' || split_part(contact, '/', 2), case_name, employee, employee, '', '' from filled;
    update ownership.ledger_head set position = head.position + 2 * (last - first + 1);
    perform ownership.ensure_ledger_ranges();
end
$$;
