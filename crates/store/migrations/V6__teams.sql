-- Teams of an organization, what applications are shared with, and invitations.

create table teams (
  organization_id BYTEA not null references organizations (id),
  id BYTEA not null,
  name TEXT not null,
  name_key TEXT not null,
  description TEXT not null,
  created_at BIGINT not null,
  updated_at BIGINT not null,
  primary key (organization_id, id)
);
create unique index teams_name_key on teams (organization_id, name_key);
create index teams_id_idx on teams (id);

-- A place in a team is held by a member of its organization: it goes before the membership does.
create table team_members (
  organization_id BYTEA not null,
  team_id BYTEA not null,
  user_id BYTEA not null,
  since BIGINT not null,
  primary key (organization_id, team_id, user_id),
  foreign key (organization_id, team_id) references teams (organization_id, id),
  foreign key (organization_id, user_id) references memberships (organization_id, user_id)
);
create index team_members_user_idx on team_members (user_id, organization_id, team_id);
create index team_members_membership_idx on team_members (organization_id, user_id);

alter table applications add column created_by BYTEA;

create table organization_shares (
  organization_id BYTEA not null references organizations (id),
  application_id BYTEA not null references applications (id),
  shared_at BIGINT not null,
  shared_by BYTEA not null references users (id),
  primary key (organization_id, application_id)
);
create index organization_shares_application_idx on organization_shares (application_id, organization_id);

create table team_shares (
  organization_id BYTEA not null,
  team_id BYTEA not null,
  application_id BYTEA not null references applications (id),
  shared_at BIGINT not null,
  shared_by BYTEA not null references users (id),
  primary key (organization_id, team_id, application_id),
  foreign key (organization_id, team_id) references teams (organization_id, id)
);
create index team_shares_application_idx on team_shares (application_id, organization_id, team_id);

create table invitations (
  organization_id BYTEA not null references organizations (id),
  id BYTEA not null,
  email TEXT not null,
  name TEXT not null,
  role TEXT not null,
  state TEXT not null,
  token_hash BYTEA,
  invited_by BYTEA not null references users (id),
  created_at BIGINT not null,
  sent_at BIGINT not null,
  expires_at BIGINT not null,
  closed_at BIGINT,
  primary key (organization_id, id)
);
create unique index invitations_token_key on invitations (token_hash);
create index invitations_state_idx on invitations (organization_id, state, id);
create index invitations_email_idx on invitations (email, state);
create index invitations_expiry_idx on invitations (state, expires_at);
