-- How many lookups of clients each employee has made: an employee who may look for a client by a number may guess numbers (L10).

-- One employee who has looked for clients.
create table lookup_count (
    -- 'lookups/{employee}', as the engine knows the aggregate.
    id text primary key,
    version bigint not null,
    -- When the running period began, and how many lookups there were in it. Not what was looked for.
    state jsonb not null
) with (fillfactor = 50);

-- Where the engine keeps states.
select keep_states_in('{"clients": "client", "lookups": "lookup_count", "operations": "import", "policies": "policy"}');
