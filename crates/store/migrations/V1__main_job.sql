-- One text for SQLite and PostgreSQL: TEXT, BIGINT (numbers, microseconds, 0/1) and BYTEA (ids, hashes) only.
-- Tables with tenant data lead their keys with organization_id, so that they can be distributed by organization.

create table users (
  id BYTEA not null primary key,
  email TEXT not null,
  name TEXT not null,
  password_hash TEXT,
  operator BIGINT not null,
  created_at BIGINT not null
);
create unique index users_email_key on users (email);

create table sessions (
  id_hash BYTEA not null primary key,
  user_id BYTEA not null references users (id),
  data TEXT not null,
  created_at BIGINT not null,
  expires_at BIGINT not null
);
create index sessions_user_idx on sessions (user_id);
create index sessions_expiry_idx on sessions (expires_at);

create table personal_tokens (
  id BYTEA not null primary key,
  user_id BYTEA not null references users (id),
  name TEXT not null,
  token_hash BYTEA not null,
  hint TEXT not null,
  created_at BIGINT not null,
  last_used_at BIGINT,
  revoked_at BIGINT
);
create unique index personal_tokens_hash_key on personal_tokens (token_hash);
create index personal_tokens_user_idx on personal_tokens (user_id, id);

create table organizations (
  id BYTEA not null primary key,
  handle TEXT not null,
  name TEXT not null,
  description TEXT not null,
  billing_email TEXT,
  created_at BIGINT not null,
  updated_at BIGINT not null,
  deleted_at BIGINT,
  sequence BIGINT not null,
  head_hash BYTEA not null,
  last_event_at BIGINT not null
);
create unique index organizations_handle_key on organizations (handle);
create index organizations_last_event_idx on organizations (last_event_at);

create table memberships (
  organization_id BYTEA not null references organizations (id),
  user_id BYTEA not null references users (id),
  role TEXT not null,
  since BIGINT not null,
  primary key (organization_id, user_id)
);
create index memberships_user_idx on memberships (user_id, organization_id);

create table events (
  organization_id BYTEA not null references organizations (id),
  sequence BIGINT not null,
  id BYTEA not null,
  type TEXT not null,
  actor_kind TEXT not null,
  actor_id TEXT,
  subject_kind TEXT not null,
  subject_id TEXT not null,
  data TEXT not null,
  request_id TEXT,
  occurred_at BIGINT not null,
  previous_hash BYTEA not null,
  hash BYTEA not null,
  primary key (organization_id, sequence)
);
create index events_type_idx on events (organization_id, type, sequence);

create table idempotency_keys (
  principal TEXT not null,
  key_hash BYTEA not null,
  fingerprint BYTEA not null,
  status BIGINT,
  sealed_body BYTEA,
  created_at BIGINT not null,
  primary key (principal, key_hash)
);
create index idempotency_keys_created_idx on idempotency_keys (created_at);

create table projects (
  organization_id BYTEA not null references organizations (id),
  id BYTEA not null,
  handle TEXT not null,
  name TEXT not null,
  description TEXT not null,
  created_at BIGINT not null,
  updated_at BIGINT not null,
  deleted_at BIGINT,
  primary key (organization_id, id)
);
create unique index projects_handle_key on projects (organization_id, handle);

create table resources (
  organization_id BYTEA not null,
  project_id BYTEA not null,
  name TEXT not null,
  id BYTEA not null,
  media_type TEXT not null,
  size BIGINT not null,
  etag TEXT not null,
  blob_key TEXT not null,
  created_at BIGINT not null,
  updated_at BIGINT not null,
  primary key (organization_id, project_id, name),
  foreign key (organization_id, project_id) references projects (organization_id, id)
);

create table abandoned_blobs (
  blob_key TEXT not null primary key,
  abandoned_at BIGINT not null,
  swept_at BIGINT
);
create index abandoned_blobs_time_idx on abandoned_blobs (abandoned_at, blob_key);

create table applications (
  id BYTEA not null primary key,
  organization_id BYTEA references organizations (id),
  user_id BYTEA references users (id),
  name TEXT not null,
  description TEXT not null,
  redirect_uris TEXT not null,
  created_at BIGINT not null,
  updated_at BIGINT not null,
  deleted_at BIGINT
);
create index applications_organization_idx on applications (organization_id, id);
create index applications_user_idx on applications (user_id, id);

create table application_secrets (
  application_id BYTEA not null references applications (id),
  id BYTEA not null,
  secret_hash BYTEA not null,
  hint TEXT not null,
  created_at BIGINT not null,
  last_used_at BIGINT,
  revoked_at BIGINT,
  primary key (application_id, id)
);

create table services (
  organization_id BYTEA not null references organizations (id),
  id BYTEA not null,
  handle TEXT not null,
  application_id BYTEA not null references applications (id),
  name TEXT not null,
  name_key TEXT not null,
  summary TEXT not null,
  description TEXT not null,
  categories TEXT not null,
  visibility TEXT not null,
  state TEXT not null,
  contract_id BYTEA not null,
  created_at BIGINT not null,
  updated_at BIGINT not null,
  published_at BIGINT,
  primary key (organization_id, id)
);
create unique index services_id_key on services (id);
create unique index services_handle_key on services (handle);
create index services_application_idx on services (application_id);
create index services_newest_idx on services (state, published_at, id);
create index services_name_idx on services (state, name_key, id);

create table service_categories (
  category TEXT not null,
  service_id BYTEA not null,
  organization_id BYTEA not null,
  primary key (category, service_id)
);
create index service_categories_service_idx on service_categories (service_id);

create table contracts (
  organization_id BYTEA not null references organizations (id),
  id BYTEA not null,
  service_id BYTEA not null,
  version BIGINT not null,
  level TEXT not null,
  permissions TEXT not null,
  terms_url TEXT,
  price_hint TEXT not null,
  created_at BIGINT not null,
  primary key (organization_id, id),
  foreign key (organization_id, service_id) references services (organization_id, id)
);
create unique index contracts_version_key on contracts (organization_id, service_id, version);
create index contracts_id_idx on contracts (id);

create table plans (
  organization_id BYTEA not null,
  contract_id BYTEA not null,
  id BYTEA not null,
  position BIGINT not null,
  name TEXT not null,
  currency TEXT not null,
  prices TEXT not null,
  primary key (organization_id, contract_id, id)
);
create index plans_id_idx on plans (id);

create table subscriptions (
  organization_id BYTEA not null references organizations (id),
  id BYTEA not null,
  provider_id BYTEA not null references organizations (id),
  service_id BYTEA not null,
  contract_id BYTEA not null,
  plan_id BYTEA not null,
  project_id BYTEA,
  state TEXT not null,
  mode TEXT not null,
  include_future TEXT not null,
  note TEXT not null,
  requested_by BYTEA not null references users (id),
  approved_by BYTEA,
  created_at BIGINT not null,
  activated_at BIGINT,
  ended_at BIGINT,
  previous_id BYTEA,
  primary key (organization_id, id)
);
create unique index subscriptions_id_key on subscriptions (id);
create index subscriptions_service_idx on subscriptions (provider_id, service_id, id);
create index subscriptions_consumer_service_idx on subscriptions (organization_id, service_id, id);

-- The projects a choice names: those taken (mode selected) or those left out (mode all_except).
create table subscription_projects (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  project_id BYTEA not null,
  primary key (organization_id, subscription_id, project_id),
  foreign key (organization_id, subscription_id) references subscriptions (organization_id, id)
);

create table grants (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  id BYTEA not null,
  project_id BYTEA not null,
  since BIGINT not null,
  until BIGINT,
  approved_by BYTEA,
  request_id BYTEA,
  primary key (organization_id, subscription_id, id),
  foreign key (organization_id, subscription_id) references subscriptions (organization_id, id)
);
create index grants_project_idx on grants (organization_id, project_id, subscription_id);

create table requests (
  organization_id BYTEA not null references organizations (id),
  id BYTEA not null,
  provider_id BYTEA references organizations (id),
  kind TEXT not null,
  state TEXT not null,
  step TEXT not null,
  service_id BYTEA not null,
  subscription_id BYTEA,
  asked TEXT not null,
  note TEXT not null,
  requested_by BYTEA not null references users (id),
  created_at BIGINT not null,
  decided_at BIGINT,
  primary key (organization_id, id)
);
create unique index requests_id_key on requests (id);
create index requests_open_idx on requests (organization_id, state, step, id);
create index requests_provider_idx on requests (provider_id, state, step, id);
create index requests_subscription_idx on requests (organization_id, subscription_id, id);
create index requests_requester_idx on requests (requested_by, state, id);

create table request_decisions (
  organization_id BYTEA not null,
  request_id BYTEA not null,
  position BIGINT not null,
  step TEXT not null,
  decision TEXT not null,
  decided_by BYTEA not null references users (id),
  comment TEXT not null,
  decided_at BIGINT not null,
  primary key (organization_id, request_id, position),
  foreign key (organization_id, request_id) references requests (organization_id, id)
);

create table access_tokens (
  token_hash BYTEA not null primary key,
  id BYTEA not null,
  application_id BYTEA not null references applications (id),
  secret_id BYTEA not null,
  organization_id BYTEA,
  subscription_id BYTEA,
  scope TEXT not null,
  created_at BIGINT not null,
  expires_at BIGINT not null
);
create index access_tokens_application_idx on access_tokens (application_id, secret_id);
create index access_tokens_expiry_idx on access_tokens (expires_at);

create table usage_events (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  source TEXT not null,
  event_id TEXT not null,
  body_hash BYTEA not null,
  project_id BYTEA not null,
  meter TEXT not null,
  quantity TEXT not null,
  occurred_at BIGINT not null,
  recorded_at BIGINT not null,
  primary key (organization_id, subscription_id, source, event_id)
);

create table usage_days (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  project_id BYTEA not null,
  meter TEXT not null,
  day BIGINT not null,
  quantity TEXT not null,
  primary key (organization_id, subscription_id, project_id, meter, day)
);
create index usage_days_day_idx on usage_days (organization_id, day);
