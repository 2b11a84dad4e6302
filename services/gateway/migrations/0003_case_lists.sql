-- Lists of cases by responsible person, branch, state and limit, in the order of opening or of what is due, at any number of cases. Closed cases are the
-- bulk and lie in the indexes of 0001 by time of opening; everything else is little, and lies in the partial indexes below.

-- A moment as states hold it, in UTC and therefore without regard to settings, whatever the cast has to assume.
create function moment(text) returns timestamptz language sql immutable strict parallel safe return $1::timestamptz;

-- When the answer is due that is still owed (K15): the limit of the running clock. Null where none runs, so exactly while the case is not open.
alter table cases add column answer_due timestamptz generated always as (
    case when state -> 'phase' ->> 'state' = 'open' and state -> 'clocks' -> -1 ->> 'met' is null
        then moment(state -> 'clocks' -> -1 ->> 'due') end
) stored;

-- A branch's cases of one state, newest first, but for closed ones.
create index cases_branch_phase on cases (branch, phase, id desc) where phase <> 'closed';
-- A branch's owed answers, soonest first; overdue ones are the beginning of it.
create index cases_branch_due on cases (branch, answer_due, id) where answer_due is not null;
-- What somebody handles, or answers for, and has not ended: by state, owed answers soonest first.
create index cases_handler_live on cases (handler, phase, answer_due, id) where phase in ('open', 'awaiting_satisfaction');
create index cases_accountable_live on cases (accountable, phase, answer_due, id)
    where phase in ('open', 'awaiting_satisfaction');
-- The same of all branches, for HQ.
create index cases_phase on cases (phase, id desc) where phase <> 'closed';
create index cases_due on cases (answer_due, id) where answer_due is not null;
