-- Requests with a deadline, questions and answers; policies of approval; who decides in whose stead.

alter table requests add column rule TEXT not null default '';
alter table requests add column expires_at BIGINT not null default 0;
-- When the next reminder is due, or the end.
alter table requests add column due_at BIGINT not null default 0;
update requests set expires_at = created_at, due_at = created_at;
-- What waits when this is installed has 30 days from the last that happened here.
update requests set
  expires_at = 2592000000000 + (select max(last_event_at) from organizations),
  due_at = 2592000000000 + (select max(last_event_at) from organizations)
where state in ('open', 'needs_info');
create index requests_due_idx on requests (state, due_at);

alter table request_decisions add column on_behalf_of BYTEA;
-- What an answer changed, as a list of sentences (JSON).
alter table request_decisions add column changes TEXT not null default '[]';
-- Whether an approval counts no more, because more is asked for since.
alter table request_decisions add column void BIGINT not null default 0;

create table policies (
  organization_id BYTEA not null primary key references organizations (id),
  request_days BIGINT not null,
  rules TEXT not null,
  updated_at BIGINT not null,
  updated_by BYTEA not null references users (id)
);

create table delegations (
  organization_id BYTEA not null references organizations (id),
  id BYTEA not null,
  absent_id BYTEA not null references users (id),
  delegate_id BYTEA not null references users (id),
  starts_at BIGINT not null,
  ends_at BIGINT not null,
  ended_at BIGINT,
  created_at BIGINT not null,
  primary key (organization_id, id)
);
create index delegations_absent_idx on delegations (organization_id, absent_id, ends_at);
create index delegations_delegate_idx on delegations (delegate_id, organization_id, ends_at);
