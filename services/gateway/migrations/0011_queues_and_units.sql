-- Queues are looked at branch by branch.
drop index routings_waiting;

-- The units that received complaints (C2), as far as they are known here by what waits because of them.
with known as (
    select state ->> 'case' as case_name, jsonb_object_agg(state ->> 'name', state ->> 'unit') as units
    from desk_followed where state ->> 'kind' = 'complaint' group by 1
)
update cases c
set state = jsonb_set(c.state, '{complaints}', (
    select jsonb_agg(it || case when known.units ? (it ->> 'name') then jsonb_build_object('unit', known.units -> (it ->> 'name'))
                           else '{}' end)
    from jsonb_array_elements(c.state -> 'complaints') it))
from known where c.id = known.case_name and jsonb_array_length(c.state -> 'complaints') > 0;
