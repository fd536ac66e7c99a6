//! What operators see of services: all that have left their drafts, whoever provides them.

use stoa_domain::{
    ids::ServiceId,
    marketplace::folded,
    services::{Service, ServiceState},
};

use super::{COLUMNS, WIDTH, service};
use crate::{Conn, StoreError, organizations::Named, value::contains, values};

/// A service with its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operated {
    /// The service.
    pub service: Service,
    /// Who provides it.
    pub provider: Named,
    /// What the list is sorted by.
    pub name_key: String,
}

/// Which services an operator wants to see.
#[derive(Debug, Clone, Copy, Default)]
pub struct OperatedFilter<'a> {
    /// In this state; all but drafts when absent.
    pub state: Option<ServiceState>,
    /// A part of the name.
    pub search: &'a str,
    /// After this one, the last of the page before.
    pub after: Option<(&'a str, ServiceId)>,
}

/// A page of the services of all organizations by name, without drafts and those of deleted organizations.
///
/// # Errors
/// Those of the database.
pub async fn list_operated(conn: &mut Conn, filter: OperatedFilter<'_>, limit: i64) -> Result<Vec<Operated>, StoreError> {
    let mut sql = format!(
        "select {COLUMNS}, o.id, o.handle, o.name, s.name_key from services s
         join organizations o on o.id = s.organization_id and o.deleted_at is null where s.state <> 'draft'"
    );
    let mut values = values![limit];
    if let Some(state) = filter.state {
        values.push(state.word().into());
        sql.push_str(&format!(" and s.state = ${}", values.len()));
    }
    let words = folded(&[filter.search]);
    if !words.is_empty() {
        values.push(contains(&words).into());
        sql.push_str(&format!(" and s.name_key like ${} escape '!'", values.len()));
    }
    if let Some((name, id)) = filter.after {
        values.push(name.into());
        values.push(id.into());
        sql.push_str(&format!(" and (s.name_key, s.id) > (${}, ${})", values.len() - 1, values.len()));
    }
    sql.push_str(" order by s.name_key, s.id limit $1");
    let rows = conn.fetch_all(&sql, &values).await?;
    rows.iter()
        .map(|row| {
            let provider = Named { id: row.get(WIDTH)?, handle: row.get(WIDTH + 1)?, name: row.get(WIDTH + 2)? };
            Ok(Operated { service: service(row)?, provider, name_key: row.get(WIDTH + 3)? })
        })
        .collect()
}
