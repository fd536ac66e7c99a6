//! Who is found among members, and how many there are, on both engines.

#![cfg(test)]

use std::collections::BTreeMap;

use stoa_domain::{
    ids::{Id, OrganizationId, UserId},
    members::{Member, typed, words},
    permissions::Role,
    users::User,
};
use stoa_store::{
    Db, members,
    organizations::{self, Counts},
    params, users,
};
use stoa_testkit::{
    both_engines,
    rows::{at, company, id},
};

const GRID: u8 = 9;
const OTHER: u8 = 8;

fn user(number: u32, name: &str, email: &str) -> User {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    User {
        id: UserId::mint(at(0), random),
        email: email.to_owned(),
        name: name.to_owned(),
        operator: false,
        created_at: at(0),
        suspended: false,
    }
}

/// Two organizations without members, and people who are in both.
async fn people(db: &Db, people: &[User]) -> (OrganizationId, OrganizationId) {
    let mut tx = db.begin().await.unwrap();
    let grid = company(&mut tx, GRID, ("grid", "Grid"), &[]).await.unwrap();
    let other = company(&mut tx, OTHER, ("other", "Other"), &[]).await.unwrap();
    users::insert_many(&mut tx, people).await.unwrap();
    let all: Vec<Member> = people.iter().map(|user| Member::new(user, Role::Viewer, at(1))).collect();
    members::insert(&mut tx, grid, &all).await.unwrap();
    members::insert(&mut tx, other, &all[..2]).await.unwrap();
    tx.commit().await.unwrap();
    (grid, other)
}

async fn found(db: &Db, organization: OrganizationId, search: &str) -> Vec<String> {
    let mut conn = db.read().await.unwrap();
    let found = members::list(&mut conn, organization, Some(search), None, 100).await.unwrap();
    found.into_iter().map(|member| member.name).collect()
}

async fn counted(db: &Db, organization: OrganizationId) -> i64 {
    let mut conn = db.read().await.unwrap();
    let Counts { members, .. } = organizations::counts(&mut conn, organization).await.unwrap();
    let rows = conn.fetch_one("select count(*) from memberships where organization_id = $1", params![organization]).await.unwrap();
    assert_eq!(rows.get::<i64>(0).unwrap(), members, "the number kept is the number of members");
    members
}

both_engines! {
    async fn members_are_found_by_the_beginnings_of_their_words(db: Db) {
        let people_of = [
            user(1, "Zoë Groß", "zoe@grid.example"),
            user(2, "Ada Bauer", "a.bauer@grid.example"),
            user(3, "Ada Zoller", "zoller@wind.example"),
        ];
        let (grid, other) = people(&db, &people_of).await;
        assert_eq!(found(&db, grid, "ada").await, ["Ada Bauer", "Ada Zoller"]);
        assert_eq!(found(&db, grid, "ADA zo").await, ["Ada Zoller"]);
        assert_eq!(found(&db, grid, "gross").await, ["Zoë Groß"]);
        assert_eq!(found(&db, grid, "GROß").await, ["Zoë Groß"]);
        assert_eq!(found(&db, grid, "a.bauer@grid.example").await, ["Ada Bauer"]);
        assert_eq!(found(&db, grid, "example").await.len(), 3);
        assert_eq!(found(&db, other, "ada").await, ["Ada Bauer"], "members of others are not found");
        for nobody in ["auer", "ada groß", "%", "_", "@", "zoe' or 1=1"] {
            assert!(found(&db, grid, nobody).await.is_empty(), "{nobody}");
        }
    }

    async fn a_new_name_or_address_is_found_at_once_and_the_old_one_no_more(db: Db) {
        let people_of = [user(1, "Zoë Groß", "zoe@grid.example"), user(2, "Ada Bauer", "ada@grid.example")];
        let (grid, other) = people(&db, &people_of).await;
        let mut tx = db.begin().await.unwrap();
        users::set_name(&mut tx, people_of[1].id, "Ada Winter").await.unwrap();
        users::set_email(&mut tx, people_of[1].id, "ada@sun.example").await.unwrap();
        tx.commit().await.unwrap();
        for organization in [grid, other] {
            assert_eq!(found(&db, organization, "winter sun").await, ["Ada Winter"]);
            assert!(found(&db, organization, "bauer").await.is_empty());
            assert_eq!(found(&db, organization, "grid").await, ["Zoë Groß"]);
        }
    }

    async fn who_was_a_member_before_words_were_kept_is_found_once_they_are(db: Db) {
        let people_of = [user(1, "Zoë Groß", "zoe@grid.example"), user(2, "Ada Bauer", "ada@grid.example")];
        let (grid, other) = people(&db, &people_of).await;
        let mut tx = db.begin().await.unwrap();
        tx.execute("delete from member_words", params![]).await.unwrap();
        tx.execute("update memberships set worded = 0", params![]).await.unwrap();
        assert_eq!(members::keep_some(&mut tx, 3).await.unwrap(), 3);
        assert_eq!(members::keep_some(&mut tx, 3).await.unwrap(), 1);
        assert_eq!(members::keep_some(&mut tx, 3).await.unwrap(), 0);
        tx.commit().await.unwrap();
        for organization in [grid, other] {
            assert_eq!(found(&db, organization, "bau").await, ["Ada Bauer"]);
        }
    }

    async fn a_word_that_many_have_and_one_that_few_have_find_the_same_as_looking_through_all(db: Db) {
        let people_of: Vec<User> = (0..700_u32)
            .map(|number| {
                let (given, family) = (["Ada", "Adam", "Berta"][number as usize % 3], ["Winter", "Sommer"][usize::from(number % 50 == 0)]);
                user(number, &format!("{given} {family}"), &format!("{number}@grid.example"))
            })
            .collect();
        let (grid, _) = people(&db, &people_of).await;
        let mut conn = db.read().await.unwrap();
        for search in ["ada", "ad", "b w", "sommer", "sommer ada", "somm", "example", "69", "12@grid", "adam winter example"] {
            let typed = typed(search);
            let fits = |user: &&User| {
                let words = words(&user.name, &user.email);
                typed.iter().all(|typed| words.iter().any(|word| word.starts_with(typed.as_str())))
            };
            let expected: Vec<UserId> = people_of.iter().filter(fits).map(|user| user.id).collect();
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let page = members::list(&mut conn, grid, Some(search), after, 60).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(last.user);
                all.extend(page.iter().map(|member| member.user));
            }
            assert_eq!(all, expected, "{search}");
            assert!(!expected.is_empty(), "{search}");
        }
    }

    async fn members_are_counted_as_they_come_and_go(db: Db) {
        let people_of: Vec<User> = (0..20).map(|number| user(number, "Ada", &format!("{number}@grid.example"))).collect();
        let (grid, other) = people(&db, &people_of).await;
        assert_eq!((counted(&db, grid).await, counted(&db, other).await), (20, 2));
        let mut tx = db.begin().await.unwrap();
        members::delete(&mut tx, grid, people_of[3].id).await.unwrap();
        members::delete(&mut tx, grid, people_of[3].id).await.unwrap();
        members::delete(&mut tx, other, people_of[0].id).await.unwrap();
        members::insert(&mut tx, grid, &[]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((counted(&db, grid).await, counted(&db, other).await), (19, 1));
        let mut tx = db.begin().await.unwrap();
        members::delete(&mut tx, grid, people_of[4].id).await.unwrap();
        drop(tx);
        assert_eq!(counted(&db, grid).await, 19, "what did not take place does not count");
        let sizes: BTreeMap<_, _> =
            organizations::sizes(&mut db.read().await.unwrap(), &[grid, other]).await.unwrap().into_iter().collect();
        assert_eq!((sizes[&grid].members, sizes[&other].members), (19, 1));
        let ids: [UserId; 1] = [id(0)];
        assert!(members::find_many(&mut db.read().await.unwrap(), other, &ids).await.unwrap().is_empty());
    }
}
