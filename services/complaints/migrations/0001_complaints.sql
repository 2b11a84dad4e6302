-- Complaints (投诉) and what this service knows of policies, cases and clients. States are whole documents; what queries need is generated from them.

-- One record form: a complaint, an opinion, a suggestion or an inquiry (C1).
create table complaint (
    -- 'complaints/{complaint}', as the engine knows the aggregate. Time-ordered, so that its order is that of filing.
    id text primary key,
    version bigint not null,
    -- The state as the domain serialises it. Personal data and texts in it are sealed.
    state jsonb not null,
    -- HQ or the branch that received it (C2), 'branches/{branch}'.
    receiving_unit text not null generated always as (state ->> 'receiving_unit') stored,
    -- The client's external id; empty while unknown.
    client text not null generated always as (state ->> 'client') stored,
    -- C15; null until it is accepted or declined.
    number text generated always as (state ->> 'number') stored,
    -- Where it is in its life, e.g. 'filed'.
    stage text not null generated always as (state -> 'stage' ->> 'stage') stored
) with (fillfactor = 70);

-- A unit's complaints, newest first, in pages (C2).
create index complaint_of_unit on complaint (receiving_unit, id desc);

-- The same of one stage: what waits for the complaint officer is found without reading the years of closed ones (C3).
create index complaint_of_unit_by_stage on complaint (receiving_unit, stage, id desc);

-- The complaints of one client, newest first.
create index complaint_of_client on complaint (client, id desc) where client <> '';

-- A number is given once (C15). The counters see to that; this would stop a fault of theirs. Also finds a complaint by its number.
create unique index complaint_number on complaint (number) where number is not null;

-- Policy versions adopted from ownership (P1).
create table policy (
    -- 'policies/{policy}'
    id text primary key,
    version bigint not null,
    state jsonb not null
);

-- Cases as ownership's feed tells of them: whose words a complaint's texts are. Written in the transaction that moves the cursor of that feed.
create table known_case (
    -- 'cases/{case}'
    case_name text primary key,
    -- 'contacts/{contact}', which opened it.
    contact text not null,
    -- The client's external id; empty while unknown.
    client text not null
);

-- Clients with limits of their own (L12), as the feed of clients tells. Written in the transaction that moves the cursor of that feed.
create table client_mark (
    client text primary key,
    vip boolean not null,
    core boolean not null
);

-- Where the engine keeps states.
select keep_states_in('{"complaints": "complaint", "policies": "policy"}');
