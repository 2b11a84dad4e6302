-- $1 case, $2 services, $3 the positions up to which they are told.
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
    select 'ownership' as service, l.position, l.time, l.type, l.aggregate, l.case_name, l.actor, l.on_behalf, l.capacity, l.cause
    from merged join ledger l on l.case_name = merged.id and l.case_name <> ''
    union
    select 'ownership', l.position, l.time, l.type, l.aggregate, l.case_name, l.actor, l.on_behalf, l.capacity, l.cause
    from named join ledger l on l.aggregate = named.aggregate
    union
    select t.service, t.position, t.time, t.type, t.aggregate, t.case_name, t.actor, t.on_behalf, t.capacity, t.cause
    from merged join timeline t on t.case_name = merged.id and t.case_name <> ''
    union
    select t.service, t.position, t.time, t.type, t.aggregate, t.case_name, t.actor, t.on_behalf, t.capacity, t.cause
    from touched join timeline t on t.aggregate = 'calls/' || split_part(touched.id, '/', 2)
)
select lines.service as "service!", lines.position as "position!", lines.time as "time!", type as "type!", aggregate as "aggregate!",
       case_name as "case_name!", actor as "actor!", on_behalf as "on_behalf!", capacity as "capacity!", cause as "cause!"
from lines join unnest($2::text[], $3::bigint[]) as told (service, head)
    on told.service = lines.service and lines.position <= told.head
order by lines.service, lines.position
