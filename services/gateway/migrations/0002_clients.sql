-- Which clients have a file, as the clients service's feed tells: a projection, written in the transaction that moves the cursor. A case names its client
-- by the CRM's id; joining on it when a case is read binds the case to the file, also when the file came later.

create table client_file (
    -- The id behind `clients/`.
    client text primary key,
    -- What follows is null until an event has told it. `branches/{branch}`.
    branch text,
    -- A number of shouwen.type.v1.ClientClass (L2).
    client_class integer,
    -- Marks of the client (L12).
    vip boolean,
    core boolean,
    -- `employees/{employee}`, or empty while the branch has nobody in the position (L8).
    service_manager text
);
