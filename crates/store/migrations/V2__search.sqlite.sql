create virtual table service_search using fts5 (
  service_id unindexed,
  name,
  summary,
  categories,
  provider,
  description,
  tokenize = 'unicode61 remove_diacritics 2',
  prefix = '2 3'
);
