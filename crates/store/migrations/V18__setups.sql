-- What a provider does between the approval of a subscription and its coming into force.

-- Whether subscriptions of it come into force only once the provider says so.
alter table services add column setup BIGINT not null default 0;

create table subscription_setups (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  request_id BYTEA,
  terms TEXT not null,
  since BIGINT not null,
  due_at BIGINT not null,
  done_at BIGINT,
  done_by BYTEA references users (id),
  failed TEXT,
  primary key (organization_id, subscription_id),
  foreign key (organization_id, subscription_id) references subscriptions (organization_id, id)
);

create index subscriptions_provisioning_idx on subscriptions (organization_id, id) where state = 'provisioning';
