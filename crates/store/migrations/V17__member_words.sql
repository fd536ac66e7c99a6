-- Members found by the words of their names and addresses, and counted without going through them: a page of an
-- organization takes as long with ten thousand members as with ten.

-- The words as bytes, so that both engines compare and order them alike: see domain/members.
create table member_words (
  organization_id BYTEA not null,
  user_id BYTEA not null,
  word BYTEA not null,
  primary key (organization_id, user_id, word),
  foreign key (organization_id, user_id) references memberships (organization_id, user_id) on delete cascade
);
create index member_words_word_idx on member_words (organization_id, word, user_id);

-- Whether a member's words are kept. Those who are members now get theirs in the background.
alter table memberships add column worded BIGINT not null default 0;
create index memberships_unworded_idx on memberships (organization_id, user_id) where worded = 0;

create index memberships_role_idx on memberships (organization_id, role, since, user_id);

alter table organizations add column members BIGINT not null default 0;
update organizations set members = (select count(*) from memberships m where m.organization_id = organizations.id);
