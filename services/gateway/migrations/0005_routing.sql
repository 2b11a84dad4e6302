-- Presence and routing: who can be given contacts, at whose desk each contact rings, and who waits.

create table presences (
    -- presences/{employee}
    id text primary key,
    version bigint not null,
    state jsonb not null,
    -- `employees/{employee}`
    employee text generated always as (state ->> 'employee') stored,
    branch text generated always as (state ->> 'branch') stored,
    -- Helps out in every branch.
    hq boolean generated always as ((state ->> 'hq')::boolean) stored,
    -- Available by their own word (1) and on no call.
    free boolean generated always as ((state ->> 'wanted') = '1' and (state ->> 'on') is null) stored,
    -- Signed on: anything but offline (5).
    signed_on boolean generated always as ((state ->> 'wanted') <> '5') stored
) with (fillfactor = 80);
-- Who of a branch, or of HQ, can be given a contact.
create index presences_free on presences (branch) where free;
create index presences_free_hq on presences (id) where free and hq;
-- One of a branch who is not there: it works by presence (K1).
create index presences_away on presences (branch) where not signed_on;
-- Who of a branch is signed on, by name.
create index presences_signed_on on presences (branch, id) where signed_on;

-- When each desk was heard of last. Written by one cheap statement per heartbeat, so no part of any state; the ledger says when a desk signs on and is lost.
create table desk_session (
    -- `employees/{employee}`
    employee text primary key,
    session text not null,
    -- Business time.
    last_seen timestamptz not null
) with (fillfactor = 50);
-- The desks that have been silent longest.
create index desk_session_seen on desk_session (last_seen);

create table routings (
    -- routings/{contact}
    id text primary key,
    version bigint not null,
    state jsonb not null,
    branch text generated always as (state ->> 'branch') stored,
    -- reserved, queued, after_hours, answered, abandoned or callback.
    phase text generated always as (state -> 'phase' ->> 'state') stored,
    -- At whose desk it rings.
    reserved text generated always as (
        case when state -> 'phase' ->> 'state' = 'reserved' then state -> 'phase' ->> 'employee' end
    ) stored,
    -- VIP or core client (L12).
    vip boolean generated always as ((state ->> 'vip')::boolean) stored,
    -- Microseconds since 1970.
    begun bigint generated always as ((state ->> 'begun')::bigint) stored,
    -- Seconds in the queue, where it rang after that.
    waited bigint generated always as ((state ->> 'waited')::bigint) stored
) with (fillfactor = 80);
-- What rings at an employee's desk.
create index routings_reserved on routings (reserved) where reserved is not null;
-- The queue of a branch, and of all, in the order in which it is served.
create index routings_queue on routings (branch, vip desc, begun, id) where phase = 'queued';
create index routings_waiting on routings (vip desc, begun, id) where phase = 'queued';
-- How long those waited who were served last.
create index routings_waited on routings (branch, begun desc) where waited is not null;

-- Published lines that were unstaffed at some time, and whether they are (K1).
create table staffing (
    -- staffing/{line}
    id text primary key,
    version bigint not null,
    state jsonb not null,
    unstaffed boolean generated always as (state ->> 'unstaffed' is not null) stored
);
-- Those that are unstaffed; few at any time.
create index staffing_unstaffed on staffing (id) where unstaffed;
