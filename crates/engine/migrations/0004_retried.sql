-- The parked events that were applied because an operator had them retried, and who it was: kept for good, like those that were given up.
create table retried_event (
    feed text not null,
    position bigint not null,
    actor text not null,
    time timestamptz not null,
    primary key (feed, position)
);
