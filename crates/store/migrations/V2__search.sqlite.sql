-- What is searched, folded to plain words before it comes here: see domain/marketplace. The full-text table is keyed by
-- a number, which service_search_rows gives to each service.
create table service_search_rows (
  number integer primary key,
  service_id BYTEA not null unique
);
create virtual table service_search using fts5 (
  name,
  provider,
  categories,
  summary,
  description,
  tokenize = 'unicode61 remove_diacritics 2',
  prefix = '2 3'
);
