-- Whose desks a change touched: the rows that were cleared after one change, as those that came are found by their key.
create index desk_cleared_number on desk (cleared) where cleared is not null;
