//! Resources: named pieces of project data, bytes with a media type, a size and a version.

use crate::{ids::ResourceId, time::Ts};

/// What is known of a resource without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its id; stays the same when its bytes are written anew.
    pub id: ResourceId,
    /// Its name, unique within its project.
    pub name: String,
    /// Its media type (RFC 9110, section 8.3.1).
    pub media_type: String,
    /// Its size in bytes.
    pub size: i64,
    /// Its version: a strong entity tag with quotes (RFC 9110, section 8.8.3).
    pub etag: String,
    /// Under which key the bytes lie in the object store.
    pub blob_key: String,
    /// When it was first written.
    pub created_at: Ts,
    /// When it was last written.
    pub updated_at: Ts,
}

/// What is wrong with a resource's name or media type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadResource {
    /// Not a name.
    #[error(
        "a resource's name has 1 to 200 letters, digits, spaces and . _ - + @ ( ) characters, and does not start with a dot or a space"
    )]
    Name,
    /// Not a media type.
    #[error("write the media type like text/csv or application/json; charset=utf-8")]
    MediaType,
}

/// Checks a resource's name: it is one path segment, so no slashes.
///
/// # Errors
/// [`BadResource::Name`].
pub fn check_name(name: &str) -> Result<&str, BadResource> {
    let fits = (1..=200).contains(&name.chars().count())
        && !name.starts_with(['.', ' '])
        && !name.ends_with(' ')
        && name.chars().all(|c| c.is_alphanumeric() || " ._-+@()".contains(c));
    if fits { Ok(name) } else { Err(BadResource::Name) }
}

/// Checks a media type; none given is `application/octet-stream`.
///
/// # Errors
/// [`BadResource::MediaType`].
pub fn check_media_type(given: Option<&str>) -> Result<String, BadResource> {
    let Some(given) = given.map(str::trim).filter(|given| !given.is_empty()) else {
        return Ok("application/octet-stream".to_owned());
    };
    let token = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    let essence = given.split(';').next().unwrap_or("").trim();
    let fits = essence.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub));
    if fits && given.len() <= 200 && given.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        Ok(given.to_owned())
    } else {
        Err(BadResource::MediaType)
    }
}

/// The conditions of a write or a read (RFC 9110, section 13.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`: go on only if the current version is one of these (`*`: only if there is one).
    pub if_match: Option<String>,
    /// `If-None-Match`: go on only if the current version is none of these (`*`: only if there is none).
    pub if_none_match: Option<String>,
}

impl Conditions {
    /// Whether a write may go on, given the current version.
    pub fn allow_write(&self, current: Option<&str>) -> bool {
        let matched = self.if_match.as_deref().is_none_or(|list| current.is_some_and(|tag| listed(list, tag, false)));
        let unmatched = self.if_none_match.as_deref().is_none_or(|list| current.is_none_or(|tag| !listed(list, tag, true)));
        matched && unmatched
    }

    /// Whether a reader that holds one of the versions in `If-None-Match` already has the current one.
    pub fn not_modified(&self, current: &str) -> bool {
        self.if_none_match.as_deref().is_some_and(|list| listed(list, current, true))
    }
}

/// Whether `tag` stands in a header's list; `If-None-Match` compares weakly, `If-Match` strongly.
fn listed(list: &str, tag: &str, weak: bool) -> bool {
    list.trim() == "*"
        || list.split(',').map(str::trim).any(|item| item == tag || (weak && item.strip_prefix("W/").is_some_and(|item| item == tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_path_segment() {
        assert!(check_name("readings 2026-03 (final).csv").is_ok());
        for bad in ["", "a/b", "..", ".hidden", "a\0", " a", "a\n"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn media_types_have_two_parts() {
        assert_eq!(check_media_type(None).unwrap(), "application/octet-stream");
        assert_eq!(check_media_type(Some("text/csv; charset=utf-8")).unwrap(), "text/csv; charset=utf-8");
        for bad in ["csv", "text/", "a/b\r\nx: y"] {
            assert!(check_media_type(Some(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn conditional_writes_follow_rfc_9110() {
        let only_new = Conditions { if_none_match: Some("*".into()), ..Default::default() };
        assert!(only_new.allow_write(None) && !only_new.allow_write(Some("\"a\"")));
        let only_that = Conditions { if_match: Some("\"x\", \"a\"".into()), ..Default::default() };
        assert!(only_that.allow_write(Some("\"a\"")) && !only_that.allow_write(Some("\"b\"")) && !only_that.allow_write(None));
        let weak = Conditions { if_match: Some("W/\"a\"".into()), ..Default::default() };
        assert!(!weak.allow_write(Some("\"a\"")));
    }
}
