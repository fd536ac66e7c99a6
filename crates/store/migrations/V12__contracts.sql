-- What a subscription's contract and plan were from when on; the subscription's own row has the present ones.
create table subscription_terms (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  since BIGINT not null,
  contract_id BYTEA not null,
  plan_id BYTEA not null,
  primary key (organization_id, subscription_id, since),
  foreign key (organization_id, subscription_id) references subscriptions (organization_id, id)
);
insert into subscription_terms (organization_id, subscription_id, since, contract_id, plan_id)
  select organization_id, id, created_at, contract_id, plan_id from subscriptions;

-- Until when subscribers who don't accept a contract keep theirs, and which of its plans follows which.
alter table contracts add column notice_until BIGINT;
alter table contracts add column plan_paths TEXT;

-- What became of a contract for each subscription that was there when it came.
create table contract_offers (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  contract_id BYTEA not null,
  provider_id BYTEA not null references organizations (id),
  service_id BYTEA not null,
  state TEXT not null,
  offered_at BIGINT not null,
  until BIGINT,
  decided_by BYTEA references users (id),
  decided_at BIGINT,
  reminded_at BIGINT,
  primary key (organization_id, subscription_id, contract_id),
  foreign key (organization_id, subscription_id) references subscriptions (organization_id, id)
);
create index contract_offers_due_idx on contract_offers (state, until);
create index contract_offers_service_idx on contract_offers (provider_id, service_id, contract_id, state);

-- Contracts that were offered to new subscriptions only, before others were asked.
insert into contract_offers (organization_id, subscription_id, contract_id, provider_id, service_id, state, offered_at)
  select s.organization_id, s.id, v.contract_id, s.provider_id, s.service_id, 'kept', v.updated_at
  from subscriptions s join services v on v.organization_id = s.provider_id and v.id = s.service_id
  where s.contract_id <> v.contract_id and s.state in ('requested', 'provisioning', 'active', 'suspended', 'ending');

-- Contracts that have not reached all subscriptions yet.
create table contract_rollouts (
  organization_id BYTEA not null,
  service_id BYTEA not null,
  contract_id BYTEA not null,
  started_at BIGINT not null,
  primary key (organization_id, service_id)
);

-- The words of contracts that somebody consented to, as they were hashed.
create table contract_texts (
  organization_id BYTEA not null,
  contract_id BYTEA not null,
  hash BYTEA not null,
  text TEXT not null,
  primary key (organization_id, contract_id)
);

-- Who consented to what, when and at what price.
create table consents (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  id BYTEA not null,
  kind TEXT not null,
  accepted_by BYTEA not null references users (id),
  approved_by BYTEA references users (id),
  consented_at BIGINT not null,
  provider_id BYTEA not null,
  contract_id BYTEA not null,
  version BIGINT not null,
  text_hash BYTEA not null,
  permissions TEXT not null,
  plan_id BYTEA not null,
  prices TEXT not null,
  projects TEXT not null,
  request_id BYTEA,
  primary key (organization_id, subscription_id, id),
  foreign key (organization_id, subscription_id) references subscriptions (organization_id, id)
);
