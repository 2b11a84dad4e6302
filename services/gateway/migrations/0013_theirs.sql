-- What is somebody's by name: complaints that are handled wait for the handler of their case.

-- Of those that an earlier release took in, the last word tells whether they are; their limits are not known here.
update desk_followed d set state = d.state || '{"handling": true}'
where d.state ->> 'kind' = 'complaint' and d.state ->> 'acceptance' is null
    and (
        select t.type in ('complaint_accepted', 'complaint_reopened') from timeline t
        where t.aggregate = d.aggregate and t.service = 'complaints'
            and t.type in ('complaint_accepted', 'complaint_declined', 'complaint_reopened', 'handling_completed', 'complaint_closed')
        order by t.position desc limit 1
    );
