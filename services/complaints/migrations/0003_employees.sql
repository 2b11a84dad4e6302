-- Employees as ownership's feed tells of them: a complaint and its measures name nobody who does not exist, so that recusal protects somebody (O12).

-- Written in the transaction that moves the cursor of that feed.
create table known_employee (
    -- 'employees/{employee}'. Stays when somebody leaves: what they did may still be complained about.
    id text primary key
);

-- One row: up to which position of ownership's feed everybody is known of whom it told. Goes along with the feed's cursor. It stays behind where the feed was
-- read before there was this table, or by a release that knows of no employees while this one is rolled out; what was passed over is then read again.
create table roster_read (
    single boolean primary key default true check (single),
    position bigint not null default 0
) with (fillfactor = 10);
insert into roster_read default values;
