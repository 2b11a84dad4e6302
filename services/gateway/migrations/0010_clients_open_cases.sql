-- A client's cases that have not ended, for routing (O6): few among many, however many cases the client and the firm have had.
create index cases_client_live on cases (client, id desc) where phase in ('open', 'awaiting_satisfaction') and client is not null;
