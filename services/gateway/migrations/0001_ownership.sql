-- Cases, contacts, roster and policies. Every aggregate is one JSON document; the columns that queries need are generated from it.

create table cases (
    -- cases/{uuid v7}: the order of ids is the order of opening.
    id text primary key,
    version bigint not null,
    state jsonb not null,
    branch text generated always as (state ->> 'branch') stored,
    -- open, awaiting_satisfaction, closed, merged or void.
    phase text generated always as (state -> 'phase' ->> 'state') stored,
    handler text generated always as (state ->> 'handler') stored,
    accountable text generated always as (state ->> 'accountable') stored,
    -- The client's external id; null while unknown.
    client text generated always as (state ->> 'client') stored,
    topic text generated always as (state ->> 'topic') stored,
    -- The survivor of a merged case.
    merged_into text generated always as (state -> 'phase' ->> 'into') stored
) with (fillfactor = 80);
-- Lists of a branch, newest first.
create index cases_branch on cases (branch, id desc);
-- What lies, or lay, on somebody's desk.
create index cases_handler on cases (handler, id desc);
create index cases_accountable on cases (accountable, id desc);
-- A client's cases.
create index cases_client on cases (client, id desc) where client is not null;
-- The timeline of a survivor includes what was merged into it.
create index cases_merged_into on cases (merged_into) where merged_into is not null;

create table contacts (
    -- contacts/{contact}
    id text primary key,
    version bigint not null,
    state jsonb not null,
    case_name text generated always as (state ->> 'case') stored,
    -- none, pending, done or voided.
    touch text generated always as (state -> 'touch' ->> 'state') stored
) with (fillfactor = 80);
-- The contacts of a case, for its timeline.
create index contacts_case on contacts (case_name);
-- First touches still owed to a backend; few at any time.
create index contacts_pending on contacts (id) where touch = 'pending';

-- Branches, employees, lines and service accounts: small, read whole into memory, listed by name.
create table roster (
    id text primary key,
    version bigint not null,
    state jsonb not null,
    collection text generated always as (split_part(id, '/', 1)) stored,
    branch text generated always as (state ->> 'branch') stored
);
create index roster_collection on roster (collection, id);
create index roster_branch on roster (collection, branch, id);

create table policy (
    -- policies/{uuid v7}
    id text primary key,
    version bigint not null,
    state jsonb not null,
    kind text generated always as (state ->> 'kind') stored,
    scope text generated always as (state ->> 'scope') stored,
    status text generated always as (state ->> 'status') stored
);
create index policy_kind on policy (kind, id desc);

-- What other services' feeds said about cases and contacts: a projection, written in the transaction that moves the cursor.
create table timeline (
    service text not null,
    position bigint not null,
    time timestamptz not null,
    type text not null,
    aggregate text not null,
    case_name text not null,
    actor text not null,
    on_behalf text not null,
    capacity text not null,
    cause text not null,
    primary key (service, position)
);
create index timeline_case on timeline (case_name, time) where case_name <> '';
create index timeline_aggregate on timeline (aggregate, time);
