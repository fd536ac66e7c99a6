-- Whom to bill and whom to ask, old handles, suspension, restoring and erasing.

alter table users add column suspended_at BIGINT;

alter table organizations add column name_key TEXT not null default '';
alter table organizations add column legal_name TEXT;
alter table organizations add column address TEXT;
alter table organizations add column country TEXT;
alter table organizations add column tax_id TEXT;
alter table organizations add column contact_email TEXT;
alter table organizations add column contact_phone TEXT;
alter table organizations add column website TEXT;
alter table organizations add column suspended_at BIGINT;
alter table organizations add column suspended_reason TEXT;
-- Until when a node has taken the erasure of a deleted organization upon itself; once set, it can't be restored.
alter table organizations add column erasing_until BIGINT;
alter table organizations add column erased_at BIGINT;
update organizations set name_key = lower(name);
create index organizations_deleted_idx on organizations (deleted_at);
create index organizations_name_idx on organizations (name, id);

-- Handles that organizations had before: they lead to them until then.
create table organization_handles (
  handle TEXT not null primary key,
  organization_id BYTEA not null references organizations (id),
  until BIGINT not null
);
create index organization_handles_organization_idx on organization_handles (organization_id, until);
