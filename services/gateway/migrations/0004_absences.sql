-- Absences and who deputises meanwhile, and handing over what somebody leaves behind (O9).

create table absences (
    -- absences/{uuid v7}: the order of ids is the order in which they were entered.
    id text primary key,
    version bigint not null,
    state jsonb not null,
    employee text generated always as (state ->> 'employee') stored,
    branch text generated always as (state ->> 'branch') stored,
    -- planned, running, ended or cancelled.
    status text generated always as (state -> 'phase' ->> 'state') stored,
    -- Which naming of its deputies holds, from 1.
    revision bigint generated always as ((state -> 'revision')::bigint) stored
) with (fillfactor = 80);
-- Lists of a branch, latest first.
create index absences_branch on absences (branch, id desc);
-- The absences of one employee.
create index absences_employee on absences (employee, id desc);
-- What every decision has to know; few at any time.
create index absences_current on absences (id) where status in ('planned', 'running');

create table reassignments (
    -- reassignments/{uuid v7}
    id text primary key,
    version bigint not null,
    state jsonb not null
);

-- Who acts in place of absent people: a list as in the state, null where it is empty.
alter table cases add column deputies jsonb generated always as (nullif(state -> 'deputies', '[]'::jsonb)) stored;
-- The cases under one absence, or under one deputy; few of all cases have any.
create index cases_deputies on cases using gin (deputies jsonb_path_ops) where deputies is not null;
