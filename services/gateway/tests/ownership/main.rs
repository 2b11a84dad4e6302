//! Ownership on a real Postgres, called as the gateway calls it: through its routes, with the caller in the request's extensions. Calls and callbacks
//! are feeds that tests write themselves; where time matters the clock is simulated.

mod desk;
mod directory;
mod feeds;
mod ground;
mod telephone;

mod absence;
mod absent;
mod answering;
mod asking_again;
mod attending;
mod binding;
mod deputies;

mod claiming;
mod clocks;
mod closing;
mod complaining;
mod dying;
mod escalating;
mod figures;
mod hanging_up;
mod identifying;
mod leaving;
mod mutants;
mod offering;

mod messaging;
mod overriding;
mod overtaken;
mod policies;
mod presence;
mod promising;
mod reading;
mod recusing;
mod refusing;
mod ringing;
mod roster;
mod rounds;
mod routing;
mod routing_at_once;
mod routing_lives;
mod routing_queue;
mod sequences;
mod touching;
mod transferring;
mod transferring_at_once;
mod unentitled;
mod waiting;
mod waiting_callbacks;
mod waiting_complaints;
mod watching;
