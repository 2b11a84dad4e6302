-- $1 case, $2 $3 $4 time, service and position after which to go on, $5 limit.
with recursive merged as (
    select id from cases where id = $1
    union
    select c.id from cases c join merged on c.merged_into = merged.id
), touched as (
    select id from contacts where case_name in (select id from merged)
), lines as (
    select 'ownership' as service, position, time, type, aggregate, actor, on_behalf, capacity, cause
    from ledger
    where case_name <> '' and case_name in (select id from merged)
       or aggregate in (select id from merged union all select id from touched)
    union
    select service, position, time, type, aggregate, actor, on_behalf, capacity, cause
    from timeline
    where case_name <> '' and case_name in (select id from merged)
    union
    select service, position, time, type, aggregate, actor, on_behalf, capacity, cause
    from timeline
    where aggregate in (select 'calls/' || split_part(id, '/', 2) from touched)
)
select service as "service!", position as "position!", time as "time!", type as "type!", aggregate as "aggregate!",
       actor as "actor!", on_behalf as "on_behalf!", capacity as "capacity!", cause as "cause!"
from lines
where (time, service, position) > ($2, $3, $4)
order by time, service, position
limit $5
