-- The log of an organization by who did something and by what it was done to.

create index events_actor_idx on events (organization_id, actor_id, sequence);
create index events_subject_idx on events (organization_id, subject_id, sequence);
