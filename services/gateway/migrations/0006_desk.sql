-- Desks: what waits for each employee, or for whoever has a role in a branch. A projection: the rows of an aggregate are the difference of a pure function
-- of its state, written in the transaction that saves the state.

-- One row: how many changes of desks there were. Advanced under the lock of the ledger's head, so the order of changes is the order of commits, and
-- whoever sees a number sees everything up to it.
create table desk_head (
    single boolean primary key default true check (single),
    -- Number of the last change; 0 before the first.
    position bigint not null default 0,
    -- Up to this change, rows that were cleared are no longer kept.
    forgotten bigint not null default 0
) with (fillfactor = 10);
insert into desk_head default values;

-- One row per item and time of waiting so.
create table desk (
    -- Number of the change by which it waits so.
    since bigint primary key,
    -- Number of the change by which it does so no longer; null while it waits.
    cleared bigint,
    -- It took the place of a row of the same item; its place was taken by one, at the very same change.
    follows boolean not null,
    followed boolean not null default false,
    -- employees/{employee}, or a role: branches/{branch}/staff, branches/{branch}/leads, branches/{branch}/complaintOfficers, hq, companyLeaders.
    recipient text not null,
    -- offer, overdue, escalation, callback, unreached, complaint, approval, measure, reservation or unstaffed.
    kind text not null,
    -- Resource name of what waits.
    subject text not null,
    -- The aggregate whose state says so: cases/…, callbacks/…, complaints/…, routings/…, staffing/….
    source text not null,
    -- The case and the branch concerned, or ''.
    case_name text not null,
    branch text not null,
    due timestamptz,
    -- A number of shouwen.type.v1.EscalationLevel; 0 but for escalations.
    level integer not null,
    -- Employees who are not shown it, although they have the role (O12, B7).
    barred text[] not null,
    -- Business time of both changes.
    since_time timestamptz not null,
    cleared_time timestamptz
) with (fillfactor = 90);
-- What an aggregate's state said before.
create unique index desk_source on desk (source, recipient, kind, subject) where cleared is null;
-- All that waits for somebody, oldest first.
create index desk_waiting on desk (recipient, since) where cleared is null;
-- What changed since a cursor: what came, and what went.
create index desk_since on desk (recipient, since);
create index desk_cleared on desk (recipient, cleared) where cleared is not null;
-- Removal after the retention.
create index desk_forgotten on desk (cleared_time) where cleared is not null;

-- What other services' feeds said about callbacks and complaints that are not over, as far as it makes items: folded from their events in the transaction
-- that moves the cursor.
create table desk_followed (
    -- callbacks/{callback} or complaints/{complaint}.
    aggregate text primary key,
    state jsonb not null
) with (fillfactor = 80);
