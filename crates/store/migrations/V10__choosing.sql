-- Subscriptions that are held up and that end at a given time; grants with a purpose and an end; projects that are locked.

-- When it ends; null while nothing was decided.
alter table subscriptions add column ends_at BIGINT;
-- What tells several subscriptions of one service apart.
alter table subscriptions add column label TEXT not null default '';
create index subscriptions_ending_idx on subscriptions (ends_at);

-- Whether one organization may have several subscriptions of it at the same time.
alter table services add column several BIGINT not null default 0;

-- Why a subscription was held up, by whom, from when until when. One that was never lifted ends with its subscription.
create table subscription_suspensions (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  id BYTEA not null,
  cause TEXT not null,
  since BIGINT not null,
  until BIGINT,
  reason TEXT not null,
  set_by BYTEA,
  lifted_by BYTEA,
  primary key (organization_id, subscription_id, id),
  foreign key (organization_id, subscription_id) references subscriptions (organization_id, id)
);

-- Ends that were decided for later, and taken back.
create table subscription_endings (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  id BYTEA not null,
  since BIGINT not null,
  ends_at BIGINT not null,
  set_by BYTEA,
  undone_at BIGINT,
  undone_by BYTEA,
  primary key (organization_id, subscription_id, id),
  foreign key (organization_id, subscription_id) references subscriptions (organization_id, id)
);

-- What the project is used for, and the instant from which it is not used any more, whether or not that is written down yet.
alter table grants add column purpose TEXT not null default '';
alter table grants add column ends_at BIGINT;
create index grants_ending_idx on grants (ends_at);

-- A service (or, without one, every service) that is kept out of a project, whatever subscriptions say.
create table project_locks (
  organization_id BYTEA not null,
  project_id BYTEA not null,
  id BYTEA not null,
  service_id BYTEA,
  reason TEXT not null,
  set_by BYTEA not null,
  since BIGINT not null,
  until BIGINT,
  lifted_by BYTEA,
  primary key (organization_id, project_id, id),
  foreign key (organization_id, project_id) references projects (organization_id, id)
);
