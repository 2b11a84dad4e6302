-- What is somebody's by name: lists of all that an employee is responsible for, and complaints on the desk of who handles them.

-- The cases in which somebody deputises (O9): few. Lists are planned without bitmaps, which alone can read the index of deputies.
create function deputised(employee text) returns setof cases language sql stable rows 10 set enable_bitmapscan = on
as $$
    select * from cases where deputies is not null and deputies @> jsonb_build_array(jsonb_build_object('employee', $1))
$$;

-- A complaint that is handled waits for the handler of its case. Of what an earlier release took in, the last word tells whether it is; its limits are not
-- known here.
update desk_followed d set state = d.state || '{"handling": true}'
where d.state ->> 'kind' = 'complaint' and d.state ->> 'acceptance' is null
    and (
        select t.type in ('complaint_accepted', 'complaint_reopened') from timeline t
        where t.aggregate = d.aggregate and t.service = 'complaints'
            and t.type in ('complaint_accepted', 'complaint_declined', 'complaint_reopened', 'handling_completed', 'complaint_closed')
        order by t.position desc limit 1
    );
