-- Clients (客户), the imports that entered them, and what this service knows of policies and of the roster. States are whole documents; what queries
-- need is generated from them.

-- One client's file.
create table client (
    -- 'clients/{client}', the CRM's id, as the engine knows the aggregate.
    id text primary key,
    version bigint not null,
    -- The state as the domain serialises it. Personal data in it are sealed.
    state jsonb not null,
    branch text not null generated always as (state ->> 'branch') stored,
    -- 'employees/{employee}'; empty while the branch has nobody in the position that the assets ask for (L8).
    manager text not null generated always as (state ->> 'manager') stored,
    -- One of the eleven classes (L2), e.g. 'a_plus'.
    class text generated always as (state ->> 'class') stored,
    -- L12.
    vip boolean not null generated always as ((state ->> 'vip')::boolean) stored
) with (fillfactor = 70);

-- A branch's clients by id, in pages.
create index client_branch on client (branch, id);

-- A branch's clients of one class, in pages: of some classes there are few among many.
create index client_class on client (branch, class, id);

-- A branch's VIP clients, in pages.
create index client_vip on client (branch, id) where vip;

-- A service manager's clients, in pages: for lists, and for handing them over when the manager leaves. Also those that nobody serves.
create index client_manager on client (manager, id);

-- By what a client is found. Written from the state, in the same transaction.
create table client_lookup (
    -- Blind index of a phone number, an identity number or a capital account; the kind is part of the digest.
    key bytea not null,
    -- 'clients/{client}'. Several clients may share a phone number.
    client text not null,
    primary key (key, client)
);

-- The keys of one client, to replace them.
create index client_lookup_client on client_lookup (client);

-- Imports of clients.
create table import (
    -- 'operations/{operation}'
    id text primary key,
    version bigint not null,
    state jsonb not null
) with (fillfactor = 50);

-- The lines of an import that were not taken, without their values. Written from the state, in the same transaction; the state keeps only the first.
create table import_fault (
    -- 'operations/{operation}'
    import text not null,
    -- Which attempt of the import, from 1: only the last one is shown.
    attempt bigint not null,
    -- Counts the faults of the attempt, from 1.
    number bigint not null,
    line bigint not null,
    field text not null,
    reason text not null,
    description text not null,
    primary key (import, attempt, number)
);

-- Policy versions adopted from ownership (P1).
create table policy (
    -- 'policies/{policy}'
    id text primary key,
    version bigint not null,
    state jsonb not null
);

-- The firm's branches, as ownership's feed tells of them. Written in the transaction that moves the cursor.
create table known_branch (
    -- 'branches/{branch}'
    id text primary key
);

-- The firm's employees, as ownership's feed tells of them.
create table known_employee (
    -- 'employees/{employee}'
    id text primary key,
    branch text not null,
    -- Number of shouwen.type.v1.Position; 0: none.
    position smallint not null,
    -- Has the role STAFF or LEAD: may be chosen as service manager.
    serves boolean not null,
    active boolean not null
);

-- A branch's employees, from whom service managers are chosen.
create index known_employee_branch on known_employee (branch) where active;

-- Employees of whom something has changed that decides whom they may serve; a row stays until their clients were looked through.
create table handover (
    employee text primary key,
    -- Where the employee is now: clients there whom nobody served may have somebody now.
    branch text not null,
    -- Position in ownership's feed, so that a later change is not taken for done.
    position bigint not null
);

-- Where the engine keeps states.
select keep_states_in('{"clients": "client", "operations": "import", "policies": "policy"}');
