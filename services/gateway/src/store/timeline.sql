-- $1 case, $2 $3 $4 time, service and position after which to go on, $5 limit.
-- Each part finds its lines by an index: of the case and what was merged into it, of their aggregates, of their contacts.
with recursive merged as (
    select id from cases where id = $1
    union
    select c.id from cases c join merged on c.merged_into = merged.id
), touched as (
    select c.id from contacts c join merged on c.case_name = merged.id
), named as (
    select id as aggregate from merged
    union all
    select id from touched
), lines as (
    select 'ownership' as service, l.position, l.time, l.type, l.aggregate, l.actor, l.on_behalf, l.capacity, l.cause
    from merged join ledger l on l.case_name = merged.id and l.case_name <> ''
    union
    select 'ownership', l.position, l.time, l.type, l.aggregate, l.actor, l.on_behalf, l.capacity, l.cause
    from named join ledger l on l.aggregate = named.aggregate
    union
    select t.service, t.position, t.time, t.type, t.aggregate, t.actor, t.on_behalf, t.capacity, t.cause
    from merged join timeline t on t.case_name = merged.id and t.case_name <> ''
    union
    select t.service, t.position, t.time, t.type, t.aggregate, t.actor, t.on_behalf, t.capacity, t.cause
    from touched join timeline t on t.aggregate = 'calls/' || split_part(touched.id, '/', 2)
)
select service as "service!", position as "position!", time as "time!", type as "type!", aggregate as "aggregate!",
       actor as "actor!", on_behalf as "on_behalf!", capacity as "capacity!", cause as "cause!"
from lines
where (time, service, position) > ($2, $3, $4)
order by time, service, position
limit $5
