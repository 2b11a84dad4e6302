-- Old requests are found by their time. A range index would not do: where pages are used anew, its ranges never become younger.
create index request_time on request (created_at);
drop index request_created_at;
