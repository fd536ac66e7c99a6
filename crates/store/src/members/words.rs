//! The words by which members are found: kept for each organization by itself, so that a search takes as long as what it
//! finds, however many members there are and however many people of others.

use stoa_domain::{
    ids::{OrganizationId, UserId},
    members::{self, Member},
};

use crate::{Conn, StoreError, Tx, Value, params, values};

/// Fewer members than this are looked up one by one; of a word that fits more, a page is soon found by going through all.
const FEW: i64 = 256;

/// How those who are found stand in a statement about `memberships m`.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The table to begin with, with its join; may be empty.
    pub(super) table: String,
    /// Conditions that follow others.
    pub(super) condition: String,
}

const INSERT: &str = "insert into member_words (organization_id, user_id, word)";

fn rows(organization: OrganizationId, user: UserId, name: &str, email: &str) -> impl Iterator<Item = Vec<Value>> {
    members::words(name, email).into_iter().map(move |word| values![organization, user, word.into_bytes()])
}

/// Keeps the words of members of whom none are kept.
pub(super) async fn keep(tx: &mut Tx, organization: OrganizationId, members: &[Member]) -> Result<(), StoreError> {
    let rows: Vec<_> = members.iter().flat_map(|member| rows(organization, member.user, &member.name, &member.email)).collect();
    tx.insert_many(INSERT, 3, &rows, "").await?;
    Ok(())
}

/// Writes the words of somebody anew who has another name or address since this transaction.
pub(crate) async fn renew(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    let row = tx.fetch_one("select name, email from users where id = $1", params![user]).await?;
    let words = members::words(&row.get::<String>(0)?, &row.get::<String>(1)?);
    let of_user = "user_id = $1 and organization_id in (select organization_id from memberships where user_id = $1)";
    tx.execute(&format!("delete from member_words where {of_user}"), params![user]).await?;
    let given: Vec<_> = words.into_iter().map(|word| values![user, word.into_bytes()]).collect();
    let sql = format!(
        "with given (user_id, word) as ({{rows}}) {INSERT}
         select distinct m.organization_id, m.user_id, given.word from given cross join memberships m where m.user_id = given.user_id"
    );
    tx.fetch_given(&sql, &given).await?;
    Ok(())
}

/// Keeps the words of up to so many members of whom none are kept yet; answers how many there were.
///
/// # Errors
/// Those of the database.
pub async fn keep_some(tx: &mut Tx, limit: i64) -> Result<usize, StoreError> {
    let sql = "select m.organization_id, m.user_id, u.name, u.email from memberships m join users u on u.id = m.user_id
               where m.worded = 0 order by m.organization_id, m.user_id limit $1";
    // With their people, so that nobody gets another name or address meanwhile.
    let some = tx.lock(sql, params![limit]).await?;
    let (mut kept, mut given) = (Vec::new(), Vec::new());
    for row in &some {
        let (organization, user) = (row.get(0)?, row.get(1)?);
        kept.extend(rows(organization, user, &row.get::<String>(2)?, &row.get::<String>(3)?));
        given.push(values![organization, user]);
    }
    tx.insert_many(INSERT, 3, &kept, "on conflict do nothing").await?;
    let worded = "with given (organization_id, user_id) as ({rows})
         update memberships set worded = 1 where (organization_id, user_id) in (select organization_id, user_id from given)";
    tx.fetch_given(worded, &given).await?;
    Ok(some.len())
}

/// How those members are found who have words that begin with each of those that were typed; `None` where nobody has.
pub(super) async fn find(
    conn: &mut Conn,
    organization: OrganizationId,
    typed: &[String],
    values: &mut Vec<Value>,
) -> Result<Option<Found>, StoreError> {
    if typed.is_empty() {
        return Ok(None);
    }
    let mut fitting = values![organization];
    let counts: Vec<String> = typed
        .iter()
        .map(|word| {
            let begins = begins("w.word", word, &mut fitting);
            format!("(select count(*) from (select 1 from member_words w where w.organization_id = $1 and {begins} limit {FEW}) w)")
        })
        .collect();
    let row = conn.fetch_one(&format!("select {}", counts.join(", ")), &fitting).await?;
    let counts: Vec<i64> = (0..typed.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?;
    let mut rarest_first: Vec<(i64, &String)> = counts.into_iter().zip(typed).collect();
    rarest_first.sort();
    let mut found = Found::default();
    let mut rest = rarest_first.as_slice();
    match rest.split_first() {
        Some(((0, _), _)) => return Ok(None),
        Some(((count, rarest), others)) if *count < FEW => {
            let begins = begins("w.word", rarest, values);
            found.table =
                format!("(select distinct w.user_id from member_words w where w.organization_id = $1 and {begins}) f cross join ");
            found.condition.push_str(" and m.user_id = f.user_id");
            rest = others;
        }
        _ => {}
    }
    for (_, word) in rest {
        let begins = begins("w.word", word, values);
        found.condition.push_str(&format!(
            " and exists (select 1 from member_words w where w.organization_id = $1 and w.user_id = m.user_id and {begins})"
        ));
    }
    Ok(Some(found))
}

/// The condition that a column begins with a word.
fn begins(column: &str, word: &str, values: &mut Vec<Value>) -> String {
    // No text has the byte 255.
    let end: Vec<u8> = word.bytes().chain([u8::MAX]).collect();
    values.extend(values![word.as_bytes().to_vec(), end]);
    format!("{column} >= ${} and {column} < ${}", values.len() - 1, values.len())
}
