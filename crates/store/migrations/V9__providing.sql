-- How a service presents itself, who is named to see it, how it ends, and what the operator says of it.

-- The hash of its icon's bytes; the bytes are those of the row of service_images with that hash.
alter table services add column icon TEXT;
alter table services add column links TEXT not null default '[]';
alter table services add column support TEXT;
-- The day on which a deprecated service is to be retired, and what its provider recommends instead.
alter table services add column retires_on BIGINT;
alter table services add column successor_id BYTEA;
-- While it is suspended: where it was before, and why.
alter table services add column suspended_from TEXT;
alter table services add column suspended_reason TEXT;
-- Why the last review did not publish it.
alter table services add column review_note TEXT;

-- Icons and screenshots. Position 0 is the icon, 1 to 8 are the screenshots in their order.
create table service_images (
  organization_id BYTEA not null,
  service_id BYTEA not null,
  position BIGINT not null,
  hash TEXT not null,
  blob_key TEXT not null,
  media_type TEXT not null,
  size BIGINT not null,
  width BIGINT not null,
  height BIGINT not null,
  alt TEXT not null,
  created_at BIGINT not null,
  primary key (organization_id, service_id, position),
  foreign key (organization_id, service_id) references services (organization_id, id)
);
create index service_images_blob_idx on service_images (blob_key);

-- The organizations a private service is listed for.
create table service_audience (
  organization_id BYTEA not null,
  service_id BYTEA not null,
  audience_id BYTEA not null references organizations (id),
  since BIGINT not null,
  primary key (organization_id, service_id, audience_id),
  foreign key (organization_id, service_id) references services (organization_id, id)
);
create index service_audience_audience_idx on service_audience (audience_id, service_id);
