-- Services that one organization offers to another, which becomes their provider by accepting. Led by who offers.
create table handovers (
  organization_id BYTEA not null references organizations (id),
  id BYTEA not null,
  receiver_id BYTEA not null references organizations (id),
  service_id BYTEA not null,
  state TEXT not null,
  note TEXT not null,
  offered_by BYTEA not null references users (id),
  offered_at BIGINT not null,
  expires_at BIGINT not null,
  decided_by BYTEA references users (id),
  decided_at BIGINT,
  primary key (organization_id, id)
);
create unique index handovers_id_key on handovers (id);
-- A service is offered to one organization at a time.
create unique index handovers_open_key on handovers (service_id) where state = 'open';
create index handovers_receiver_idx on handovers (receiver_id, state, id);
create index handovers_service_idx on handovers (service_id, id);
create index handovers_due_idx on handovers (state, expires_at);
