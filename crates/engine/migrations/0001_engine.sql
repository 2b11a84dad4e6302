-- The tables of the write path. Every service has them in its own schema; the schema is chosen by search_path.

-- One row: the end of the ledger. Its lock, held until commit, makes position order commit order.
create table ledger_head (
    single boolean primary key default true check (single),
    -- Which ledger this is; a restored or moved ledger gets a new one.
    incarnation uuid not null default gen_random_uuid(),
    -- Position of the last event; 0 for an empty ledger.
    position bigint not null default 0,
    -- SHA-256 of the last event.
    hash bytea not null default decode(repeat('00', 32), 'hex'),
    -- Time of the last event; never runs backwards.
    time timestamptz not null default '-infinity'
) with (fillfactor = 10);
insert into ledger_head default values;

-- The events, append-only, dense, hash-chained. Partitioned by ranges of position: a key of time could hold a position twice.
create table ledger (
    position bigint not null,
    -- Name of the event, e.g. case_opened.
    type text not null,
    -- Resource name of the aggregate and its version after the event.
    aggregate text not null,
    version bigint not null,
    -- Encoded protobuf: the very bytes that are hashed.
    payload bytea not null,
    -- Who authenticated; on whose behalf; in which capacity.
    actor text not null,
    on_behalf text not null,
    capacity text not null,
    -- The case and the branch concerned, or ''.
    case_name text not null,
    branch text not null,
    -- The caller's request id, or ''.
    request_id text not null,
    -- The event or deadline that caused it, e.g. calls:381, deadline:offer, or ''.
    cause text not null,
    -- Business time, whole microseconds.
    time timestamptz not null,
    -- SHA-256 over the previous hash and every column above.
    hash bytea not null,
    primary key (position)
) partition by range (position);
-- Rebuilding an aggregate at a version: former results of repeated requests.
create index ledger_aggregate on ledger (aggregate, version);
-- A case's own entries of its timeline.
create index ledger_case on ledger (case_name, position) where case_name <> '';

-- Creates the ranges that hold and follow the head. Runs with the owner's rights, since the runtime role creates nothing.
create function ensure_ledger_ranges() returns integer
language plpgsql security definer as $$
declare
    -- Wide, because what is found by case or aggregate has to be looked for in each range.
    width constant bigint := 20000000;
    here bigint;
    made integer := 0;
    name text;
begin
    select h.position / width into here from ledger_head h;
    for range_number in here .. here + 2 loop
        name := 'ledger_' || range_number;
        if to_regclass(name) is null then
            execute format('create table %I (like ledger including defaults)', name);
            execute format('alter table %I add constraint %I check (position >= %s and position < %s)',
                name, name || '_range', range_number * width, (range_number + 1) * width);
            execute format('alter table ledger attach partition %I for values from (%s) to (%s)',
                name, range_number * width, (range_number + 1) * width);
            made := made + 1;
        end if;
    end loop;
    return made;
end
$$;

-- Aggregates by resource name. The row is the lock of the aggregate and the guard of its version.
create table aggregate (
    id text primary key,
    version bigint not null
) with (fillfactor = 70);

-- Requests that changed something, for seven days: repeating one returns its result.
create table request (
    principal text not null,
    method text not null,
    id text not null,
    -- SHA-256 of what was asked; another one under the same id is an error.
    fingerprint bytea not null,
    -- The result: the aggregate at a version. Empty only inside the transaction that writes it.
    aggregate text not null default '',
    version bigint not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    primary key (principal, method, id)
) with (fillfactor = 90);
-- Removal after the retention.
create index request_created_at on request using brin (created_at);

-- The newest epoch of each case that this service knows. Raised in a transaction of its own, share-locked by batches.
create table fence (
    case_name text primary key,
    epoch bigint not null
) with (fillfactor = 70);

-- Unique keys, e.g. one open case per client and topic.
create table unique_key (
    kind text not null,
    key text not null,
    -- The aggregate that holds it. Empty only inside the transaction that takes it.
    holder text not null,
    primary key (kind, key)
);

-- Gap-free counters, e.g. complaint numbers of a unit and month.
create table counter (
    name text primary key,
    value bigint not null
) with (fillfactor = 50);

-- What is due when. A row exists exactly as long as the aggregate's state says so.
create table deadline (
    aggregate text not null,
    step text not null,
    due timestamptz not null,
    policy_version text not null,
    calendar_version text not null,
    -- Computed beyond the imported calendar (S3).
    provisional boolean not null,
    primary key (aggregate, step)
);
-- The sweeper reads the soonest first.
create index deadline_due on deadline (due, aggregate);
-- Deadlines to recompute when calendar data change.
create index deadline_calendar on deadline (calendar_version) where calendar_version <> '';

-- How far this service has followed other services' feeds. Moves in the transaction of the effect.
create table feed_cursor (
    feed text primary key,
    incarnation text not null default '',
    position bigint not null default 0
) with (fillfactor = 50);

-- Events that could not be applied, and those of the same aggregate that wait behind them. The event itself stays with its service and is
-- read again from there.
create table parked_event (
    feed text not null,
    position bigint not null,
    -- The aggregate in the other service.
    aggregate text not null,
    type text not null,
    -- Reason of the rejection, or WAITING.
    reason text not null,
    time timestamptz not null,
    primary key (feed, position)
);
create index parked_event_aggregate on parked_event (feed, aggregate, position);

-- Parked events that an operator gave up, for good.
create table skipped_event (
    feed text not null,
    position bigint not null,
    reason text not null,
    actor text not null,
    time timestamptz not null,
    primary key (feed, position)
);

-- Signed statements of where the ledger stood. Exported off the database.
create table checkpoint (
    incarnation uuid not null,
    position bigint not null,
    hash bytea not null,
    time timestamptz not null,
    -- Ed25519 over incarnation, position, hash and time.
    signature bytea not null,
    primary key (incarnation, position)
);

-- Simulated business time; null where time is real.
create table clock (
    single boolean primary key default true check (single),
    simulated_at timestamptz
) with (fillfactor = 10);
insert into clock default values;

select ensure_ledger_ranges();
