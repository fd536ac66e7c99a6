-- Where each organization's log ends, apart from the organization: its row is locked for the last statements of a transaction
-- only, and many subscribers of one provider wait for nothing but the number of their event.

create table logs (
  organization_id BYTEA not null primary key references organizations (id),
  sequence BIGINT not null,
  head_hash BYTEA not null,
  last_event_at BIGINT not null
);
insert into logs (organization_id, sequence, head_hash, last_event_at)
  select id, sequence, head_hash, last_event_at from organizations;
create index logs_last_event_idx on logs (last_event_at);

drop index organizations_last_event_idx;
alter table organizations drop column sequence;
alter table organizations drop column head_hash;
alter table organizations drop column last_event_at;

-- Most subscriptions and grants have no end; those that have one are few to look through and to write down.
drop index subscriptions_ending_idx;
create index subscriptions_ending_idx on subscriptions (ends_at) where ends_at is not null;
drop index grants_ending_idx;
create index grants_ending_idx on grants (ends_at) where ends_at is not null;
