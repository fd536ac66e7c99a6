-- What a subscription may cost in a calendar month (UTC) before it is held up.
create table budgets (
  organization_id BYTEA not null,
  subscription_id BYTEA not null,
  amount TEXT not null,
  currency TEXT not null,
  set_by BYTEA not null references users (id),
  set_at BIGINT not null,
  primary key (organization_id, subscription_id),
  foreign key (organization_id, subscription_id) references subscriptions (organization_id, id)
);
