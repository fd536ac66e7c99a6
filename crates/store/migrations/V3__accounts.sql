-- Mail on its way, links of mails, and attempts that are counted against guessing. None of it belongs to one organization,
-- so nothing here is led by organization_id but what follows an organization's log.

create table outgoing_mails (
  id BYTEA not null primary key,
  recipient TEXT not null,
  kind TEXT not null,
  data TEXT not null,
  state TEXT not null,
  created_at BIGINT not null,
  due_at BIGINT not null,
  attempts BIGINT not null,
  sent_at BIGINT,
  last_error TEXT not null,
  source_organization_id BYTEA,
  source_sequence BIGINT
);
create unique index outgoing_mails_source_key on outgoing_mails (source_organization_id, source_sequence, recipient, kind);
create index outgoing_mails_due_idx on outgoing_mails (state, due_at, id);

-- How far each log was read for mails.
create table mail_positions (
  organization_id BYTEA not null primary key,
  sequence BIGINT not null
);
-- What happened before there was mail is told to nobody.
insert into mail_positions (organization_id, sequence) select id, sequence from organizations;

-- Links that were sent to an address; opening one proves that the address is one's own. Only the secret's hash is kept.
create table account_links (
  token_hash BYTEA not null primary key,
  purpose TEXT not null,
  email TEXT not null,
  user_id BYTEA references users (id),
  created_at BIGINT not null,
  expires_at BIGINT not null
);
create index account_links_user_idx on account_links (user_id, purpose);
create index account_links_email_idx on account_links (email, purpose);
create index account_links_expiry_idx on account_links (expires_at);

-- Attempts at what could be guessed: until when the allowance of a key is used up. The keys are hashes.
create table attempts (
  key_hash BYTEA not null primary key,
  spent_until BIGINT not null
);
create index attempts_time_idx on attempts (spent_until);

alter table users add column deleted_at BIGINT;
