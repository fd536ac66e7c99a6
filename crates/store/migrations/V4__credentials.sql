-- How people prove who they are: sessions that can be listed and ended, second factors, passkeys, accounts at other
-- providers, personal tokens that end, and the mail domains of organizations.

-- Keys of the installation itself. Processes hold no state, so that any number of them may serve one database.
create table installation_keys (
  name TEXT not null primary key,
  key BYTEA not null,
  created_at BIGINT not null
);

alter table sessions add column id BYTEA;
alter table sessions add column browser TEXT not null default '';
alter table sessions add column address TEXT not null default '';
alter table sessions add column last_used_at BIGINT not null default 0;
alter table sessions add column proved_at BIGINT not null default 0;
update sessions set id = substr(id_hash, 1, 16), last_used_at = created_at, proved_at = created_at;
create unique index sessions_id_key on sessions (id);

-- Since when the address is known to be the person's own.
alter table users add column email_verified_at BIGINT;

-- A token made before tokens ended ends a year after it was made.
alter table personal_tokens add column expires_at BIGINT not null default 0;
alter table personal_tokens add column limited BIGINT not null default 0;
update personal_tokens set expires_at = created_at + 31536000000000;

create table personal_token_organizations (
  organization_id BYTEA not null references organizations (id),
  token_id BYTEA not null references personal_tokens (id),
  primary key (organization_id, token_id)
);
create index personal_token_organizations_token_idx on personal_token_organizations (token_id);

-- What is half done: a sign-in that waits for its second step, a passkey being made, a visit to another provider.
create table ceremonies (
  id_hash BYTEA not null primary key,
  kind TEXT not null,
  user_id BYTEA references users (id),
  sealed_state BYTEA not null,
  attempts BIGINT not null,
  created_at BIGINT not null,
  expires_at BIGINT not null
);
create index ceremonies_expiry_idx on ceremonies (expires_at);
create index ceremonies_user_idx on ceremonies (user_id);

create table totp_secrets (
  user_id BYTEA not null primary key references users (id),
  sealed_secret BYTEA not null,
  last_step BIGINT not null,
  created_at BIGINT not null
);

create table recovery_codes (
  user_id BYTEA not null references users (id),
  code_hash BYTEA not null,
  created_at BIGINT not null,
  used_at BIGINT,
  primary key (user_id, code_hash)
);

create table passkeys (
  user_id BYTEA not null references users (id),
  id BYTEA not null,
  credential_id BYTEA not null,
  name TEXT not null,
  credential TEXT not null,
  created_at BIGINT not null,
  last_used_at BIGINT,
  primary key (user_id, id)
);
create unique index passkeys_credential_key on passkeys (credential_id);

create table identities (
  issuer TEXT not null,
  subject TEXT not null,
  id BYTEA not null,
  user_id BYTEA not null references users (id),
  email TEXT not null,
  created_at BIGINT not null,
  last_used_at BIGINT,
  primary key (issuer, subject)
);
create index identities_user_idx on identities (user_id, id);

create table organization_domains (
  organization_id BYTEA not null references organizations (id),
  domain TEXT not null,
  role TEXT not null,
  contact TEXT not null,
  code_hash BYTEA,
  code_expires_at BIGINT,
  attempts BIGINT not null,
  added_by BYTEA not null references users (id),
  created_at BIGINT not null,
  verified_at BIGINT,
  primary key (organization_id, domain)
);

-- One domain belongs to one organization; claims that nobody verified stand in nobody's way.
create table verified_domains (
  domain TEXT not null primary key,
  organization_id BYTEA not null references organizations (id)
);
