-- Overrides end with the right of who holds them (O7): their holders are looked at again and again, whatever the roster has become meanwhile.

-- Who overrides at present; null in all but a few cases.
alter table cases add column overriding text generated always as (state -> 'override' ->> 'employee') stored;
-- The overrides that run, by holder and branch.
create index cases_overriding on cases (overriding, branch) where overriding is not null;
