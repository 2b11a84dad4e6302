-- Transfers of running calls (K5): a transfer rings at its target's desk as a reservation does, so one look finds what rings there.

alter table routings drop column reserved;
-- At whose desk it rings: for whom the contact is reserved, or to whom the call is transferred.
alter table routings add column reserved text generated always as (
    case when state -> 'phase' ->> 'state' = 'reserved' then state -> 'phase' ->> 'employee'
         else state -> 'transfer' ->> 'to' end
) stored;
-- What rings at an employee's desk.
create index routings_reserved on routings (reserved) where reserved is not null;
