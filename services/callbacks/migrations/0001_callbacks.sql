-- Callbacks (回访) and the policy versions this service knows. States are whole documents; what queries need is generated from them.

-- One callback: what is owed to a client by telephone.
create table callback (
    -- 'callbacks/{callback}', as the engine knows the aggregate.
    id text primary key,
    version bigint not null,
    -- The state as the domain serialises it. Personal data in it are sealed.
    state jsonb not null,
    -- 'cases/{case}' or 'branches/{branch}': under what the callback is named.
    parent text not null generated always as (split_part(state ->> 'name', '/callbacks/', 1)) stored,
    branch text not null generated always as (state ->> 'branch') stored,
    -- The limit for the first attempt, microseconds since 1970: text cannot become a timestamp immutably.
    due bigint not null generated always as ((state ->> 'due')::bigint) stored,
    open boolean not null
        generated always as (state -> 'stage' ->> 'stage' in ('waiting', 'leased', 'lead_decides')) stored
) with (fillfactor = 70);

-- A branch's open callbacks, the soonest limit first, in pages.
create index callback_due on callback (branch, due, id) where open;

-- The open callbacks of a case whose contact turned out to hold no concern.
create index callback_of_case on callback (parent) where open;

-- Policy versions adopted from ownership (P1).
create table policy (
    -- 'policies/{policy}'
    id text primary key,
    version bigint not null,
    state jsonb not null
);

-- Cases that were voided, so that what arrives late from another feed schedules nothing under them. Written in the transaction
-- that moves the cursor of ownership's feed.
create table voided_case (
    case_name text primary key
);

-- Where the engine keeps states.
select keep_states_in('{"callbacks": "callback", "policies": "policy"}');
