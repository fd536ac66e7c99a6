-- An organization's way from subscriptions of a service at one level to subscriptions at the other.
create table level_changes (
  organization_id BYTEA not null references organizations (id),
  id BYTEA not null,
  provider_id BYTEA not null references organizations (id),
  service_id BYTEA not null,
  contract_id BYTEA not null,
  state TEXT not null,
  until BIGINT not null,
  accepted_by BYTEA not null references users (id),
  accepted_at BIGINT not null,
  request_id BYTEA,
  switched_at BIGINT,
  switched_by BYTEA references users (id),
  undone_at BIGINT,
  undone_by BYTEA references users (id),
  settled_at BIGINT,
  primary key (organization_id, id)
);
create unique index level_changes_id_key on level_changes (id);
create index level_changes_service_idx on level_changes (provider_id, service_id, id);
create index level_changes_due_idx on level_changes (state, until);

-- Which subscription follows which, for which project. Whichever does not hold the project answers as the other's alias.
create table level_change_parts (
  organization_id BYTEA not null,
  change_id BYTEA not null,
  old_id BYTEA not null,
  new_id BYTEA not null,
  project_id BYTEA not null,
  primary key (organization_id, change_id, old_id, new_id, project_id),
  foreign key (organization_id, change_id) references level_changes (organization_id, id)
);
create index level_change_parts_old_idx on level_change_parts (old_id);
create index level_change_parts_new_idx on level_change_parts (new_id);
