-- What a claim leaves in the database, as one statement: one round trip, one implicit transaction. The head comes last (it reads what the other
-- parts returned), so that the lock which serialises all writers is held as briefly as one statement can.
\set employee random(1, :employees)
with ids as materialized (
    select gen_random_uuid()::text as request,
           'contacts/' || gen_random_uuid() as contact,
           -- A UUID of version 7: time first.
           'cases/' || substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7' || substr(gen_random_uuid()::text, 16) as case_name,
           'employees/bench-' || lpad(:employee::text, 4, '0') as employee,
           'branches/bench-' || (1 + :employee % 4) as branch,
           to_json(now) #>> '{}' as stamp,
           to_json(date_trunc('day', now) + interval '3 days 9 hours') #>> '{}' as due
    from (select clock_timestamp() as now) as t, lateral (select lpad(to_hex((extract(epoch from now) * 1000)::bigint), 12, '0') as ms) as h
), new_request as (
    insert into request (principal, method, id, fingerprint, aggregate, version)
    select employee || ' ' || employee, 'Claim', request, sha256(request::bytea), case_name, 1 from ids
    returning 1
), new_aggregate as (
    insert into aggregate (id, version) select unnest(array[case_name, contact]), 1 from ids
    returning 1
), new_contact as (
    insert into contacts (id, version, state)
    select contact, 1, ('{"case":"' || case_name || '","touch":{"state":"none"},"branch":"' || branch || '","channel": 1,"employee":"' || employee
        || '","claimed_at":"' || stamp || '","first_responder": true}')::jsonb
    from ids
    returning 1
), new_case as (
    insert into cases (id, version, state)
    select case_name, 1, ('{"epoch": 1,"offer": null,"phase":{"state":"open"},"topic":"general","branch":"' || branch || '","client": null,"clocks":['
        || '{"due":"' || due || '","met": null,"missed": false,"started":"' || stamp || '","calendar":"cn-2026.1","escalates": null,"escalation": 0,"provisional": false,"escalation_policy":""}],'
        || '"policy":"ownership@default hours@default","channel": 1,"contact":"' || contact || '","handler":"' || employee || '","override": null,'
        || '"promises":[],"complaints":[],"opened_at":"' || stamp || '","assistants":[],"reopenings": 0,"accountable":"' || employee || '","first_responder":"'
        || employee || '"}')::jsonb
    from ids
    returning 1
), new_deadline as (
    insert into deadline (aggregate, step, due, policy_version, calendar_version, provisional)
    select case_name, 'answer', due::timestamptz, 'ownership@default hours@default', 'cn-2026.1', false from ids
    returning 1
), written as materialized (
    select (select count(*) from new_request) + (select count(*) from new_aggregate) + (select count(*) from new_contact)
        + (select count(*) from new_case) + (select count(*) from new_deadline) as rows
-- The end of the ledger
), head as (
    update ledger_head h
    set position = h.position + 2, hash = sha256(h.hash || decode(repeat('a5', 200), 'hex')), time = greatest(h.time, clock_timestamp())
    from written where written.rows = 6
    returning h.position, h.hash, h.time
)
-- The rows of the ledger
-- Payloads of the size of the real ones, and as many digests.
insert into ledger (position, type, aggregate, version, payload, actor, on_behalf, capacity, case_name, branch, request_id, cause, time, hash)
select head.position - 1, 'contact_claimed', contact, 1, decode(repeat('a5', 139), 'hex'), employee, employee, '', case_name, branch, request, '',
       head.time, sha256(head.hash || decode(repeat('a5', 139), 'hex'))
from ids, head
union all
select head.position, 'case_opened', case_name, 1, decode(repeat('a5', 200), 'hex'), employee, employee, '', case_name, branch, request, '',
       head.time, head.hash
from ids, head;
