-- What is searched, folded to plain words before it comes here: see domain/marketplace.
create table service_search (
  service_id BYTEA not null primary key,
  name TEXT not null,
  provider TEXT not null,
  categories TEXT not null,
  summary TEXT not null,
  description TEXT not null,
  document tsvector generated always as (
    setweight(to_tsvector('simple', name), 'A')
      || setweight(to_tsvector('simple', provider || ' ' || categories), 'B')
      || setweight(to_tsvector('simple', summary), 'C')
      || setweight(to_tsvector('simple', description), 'D')
  ) stored
);
create index service_search_idx on service_search using gin (document);
