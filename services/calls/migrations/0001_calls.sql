-- Contacts of clients with the firm, and the policy versions this service knows. States are whole documents; what queries need is generated
-- from them.

-- One contact: a call, a visit to the counter, an e-mail.
create table call (
    -- 'calls/{call}', as the engine knows the aggregate.
    id text primary key,
    version bigint not null,
    -- The state as the domain serialises it. Personal data in it are sealed.
    state jsonb not null,
    branch text not null generated always as (state ->> 'branch') stored,
    -- When it happened, microseconds since 1970: text cannot become a timestamp immutably.
    occurred bigint not null generated always as ((state ->> 'occur_time')::bigint) stored
) with (fillfactor = 70);

-- A branch's contacts, newest first, in pages.
create index call_of_branch on call (branch, occurred desc, id desc);

-- Policy versions adopted from ownership (P1).
create table policy (
    -- 'policies/{policy}'
    id text primary key,
    version bigint not null,
    state jsonb not null
);

-- Where the engine keeps states.
select keep_states_in('{"calls": "call", "policies": "policy"}');
