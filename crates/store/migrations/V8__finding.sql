-- Finding services although words are mistyped, and counting them quickly.

-- A listed word under each of its spellings: itself, and itself with any one letter left out. See domain/marketplace/spelling.
create table search_spellings (
  spelling TEXT not null,
  word TEXT not null,
  primary key (spelling, word)
);
create index search_spellings_word_idx on search_spellings (word);

-- Services that are to be indexed anew, in the background. All that are there now: their words have no spellings yet.
create table search_queue (
  organization_id BYTEA not null,
  service_id BYTEA not null,
  primary key (organization_id, service_id)
);
insert into search_queue (organization_id, service_id)
  select s.organization_id, s.id from services s join organizations o on o.id = s.organization_id where o.erased_at is null;

create index services_listed_idx on services (state, visibility, organization_id, id, contract_id);
create index contracts_level_idx on contracts (organization_id, id, level);
create index service_categories_both_idx on service_categories (service_id, category);
