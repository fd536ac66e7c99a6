-- What followed a subscription, which its page names.
create index subscriptions_previous_idx on subscriptions (organization_id, previous_id) where previous_id is not null;
