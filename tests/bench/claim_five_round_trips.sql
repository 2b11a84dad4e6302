-- What a claim leaves in the database, as an ordinary service would write it: BEGIN, three statements, COMMIT; five round trips. The head comes
-- last, so that the lock which serialises all writers is held over one round trip only.
\set employee random(1, :employees)
begin;
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
), new_aggregate as (
    insert into aggregate (id, version) select unnest(array[case_name, contact]), 1 from ids
)
select request, contact, case_name, employee as who, branch, stamp, due from ids \gset
with new_contact as (
    insert into contacts (id, version, state)
    values (:contact, 1, ('{"case":"' || :case_name || '","touch":{"state":"none"},"branch":"' || :branch || '","channel": 1,"employee":"' || :who
        || '","claimed_at":"' || :stamp || '","first_responder": true}')::jsonb)
), new_case as (
    insert into cases (id, version, state)
    values (:case_name, 1, ('{"epoch": 1,"offer": null,"phase":{"state":"open"},"topic":"general","branch":"' || :branch || '","client": null,"clocks":['
        || '{"due":"' || :due || '","met": null,"missed": false,"started":"' || :stamp || '","calendar":"cn-2026.1","escalates": null,"escalation": 0,"provisional": false,"escalation_policy":""}],'
        || '"policy":"ownership@default hours@default","channel": 1,"contact":"' || :contact || '","handler":"' || :who || '","override": null,'
        || '"promises":[],"complaints":[],"opened_at":"' || :stamp || '","assistants":[],"reopenings": 0,"accountable":"' || :who || '","first_responder":"'
        || :who || '"}')::jsonb)
)
insert into deadline (aggregate, step, due, policy_version, calendar_version, provisional)
values (:case_name, 'answer', :due::timestamptz, 'ownership@default hours@default', 'cn-2026.1', false);
with head as (
    update ledger_head h
    set position = h.position + 2, hash = sha256(h.hash || decode(repeat('a5', 200), 'hex')), time = greatest(h.time, clock_timestamp())
    returning h.position, h.hash, h.time
)
-- Payloads of the size of the real ones, and as many digests.
insert into ledger (position, type, aggregate, version, payload, actor, on_behalf, capacity, case_name, branch, request_id, cause, time, hash)
select head.position - 1, 'contact_claimed', :contact, 1, decode(repeat('a5', 139), 'hex'), :who, :who, '', :case_name, :branch, :request, '',
       head.time, sha256(head.hash || decode(repeat('a5', 139), 'hex'))
from head
union all
select head.position, 'case_opened', :case_name, 1, decode(repeat('a5', 200), 'hex'), :who, :who, '', :case_name, :branch, :request, '',
       head.time, head.hash
from head;
commit;
