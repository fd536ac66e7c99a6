//! Resources: named pieces of project data, bytes with a media type, a size and a version.

use std::ops::Range;

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

/// A resource's name for a file: its last path segment, with what no name has replaced by `_`. Always passes
/// [`check_name`].
pub fn name_of_file(file: &str) -> String {
    let last = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let kept = |c: char| if c.is_alphanumeric() || " ._-+@()".contains(c) { c } else { '_' };
    let name: String = last.trim_start_matches(['.', ' ']).chars().map(kept).take(200).collect();
    let name = name.trim_end();
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
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

    /// Whether the current version is one a reader asks for with `If-Match`.
    pub fn allow_read(&self, current: &str) -> bool {
        self.if_match.as_deref().is_none_or(|list| listed(list, current, false))
    }

    /// Whether a reader that holds one of the versions in `If-None-Match` already has the current one.
    pub fn not_modified(&self, current: &str) -> bool {
        self.if_none_match.as_deref().is_some_and(|list| listed(list, current, true))
    }
}

/// What a `Range` header asks for (RFC 9110, section 14.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Everything: no range, one we do not understand, or several, which a server may answer with everything.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that are not there.
    Unsatisfiable,
}

/// What a `Range` header asks of `size` bytes. With `If-Range`, a range is given only of the version it names; a date is
/// too coarse to name one.
pub fn asked_range(range: Option<&str>, if_range: Option<&str>, etag: &str, size: u64) -> Asked {
    if if_range.is_some_and(|version| version.trim() != etag) {
        return Asked::Whole;
    }
    let unit = |text: &str| text.get(..6).is_some_and(|unit| unit.eq_ignore_ascii_case("bytes="));
    let Some(spec) = range.map(str::trim).filter(|text| unit(text)).map(|text| text[6..].trim()) else { return Asked::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Asked::Whole };
    match (position(first), position(last), first.trim().is_empty(), last.trim().is_empty()) {
        (None, Some(suffix), true, _) if suffix == 0 || size == 0 => Asked::Unsatisfiable,
        (None, Some(suffix), true, _) => Asked::Part(size.saturating_sub(suffix)..size),
        (Some(first), None, _, true) if first >= size => Asked::Unsatisfiable,
        (Some(first), None, _, true) => Asked::Part(first..size),
        (Some(first), Some(last), ..) if last < first => Asked::Whole,
        (Some(first), Some(_), ..) if first >= size => Asked::Unsatisfiable,
        (Some(first), Some(last), ..) => Asked::Part(first..last.saturating_add(1).min(size)),
        _ => Asked::Whole,
    }
}

/// A number of a range; one too large for us is larger than anything we have.
fn position(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
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
    fn any_file_gets_a_fitting_name() {
        assert_eq!(name_of_file("C:\\data\\meters: north.csv"), "meters_ north.csv");
        assert_eq!(name_of_file("../.hidden"), "hidden");
        assert_eq!(name_of_file("..."), "file");
        for file in [" a ", "\u{1f600}", &"x".repeat(300), "a\0b", "/"] {
            assert!(check_name(&name_of_file(file)).is_ok(), "{file:?}");
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
    fn ranges_follow_rfc_9110() {
        let of = |range: &str, size| asked_range(Some(range), None, "\"a\"", size);
        assert_eq!(of("bytes=0-4", 10), Asked::Part(0..5));
        assert_eq!(of("Bytes=4-", 10), Asked::Part(4..10));
        assert_eq!(of("bytes=-3", 10), Asked::Part(7..10));
        assert_eq!(of("bytes=-30", 10), Asked::Part(0..10));
        assert_eq!(of("bytes=8-99999999999999999999", 10), Asked::Part(8..10));
        for missing in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(of(missing, 10), Asked::Unsatisfiable, "{missing}");
        }
        assert_eq!(of("bytes=-1", 0), Asked::Unsatisfiable);
        for other in ["lines=1-2", "bytes=5-2", "bytes=0-1,4-5", "bytes=", "bytes=-", "bytes=+1-2", "byte", "bytés=1"] {
            assert_eq!(of(other, 10), Asked::Whole, "{other}");
        }
    }

    #[test]
    fn if_range_gives_a_part_of_the_same_version_only() {
        let of = |version| asked_range(Some("bytes=0-4"), Some(version), "\"a\"", 10);
        assert_eq!(of("\"a\""), Asked::Part(0..5));
        for other in ["\"b\"", "W/\"a\"", "Tue, 10 Mar 2026 12:00:00 GMT"] {
            assert_eq!(of(other), Asked::Whole, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_part_lies_within_the_bytes_whatever_is_asked(text in ".{0,30}", first in 0_u64..40, last in 0_u64..40, size in 0_u64..30) {
            for asked in [text, format!("bytes={first}-{last}"), format!("bytes=-{last}"), format!("bytes={first}-")] {
                if let Asked::Part(part) = asked_range(Some(&asked), None, "\"a\"", size) {
                    proptest::prop_assert!(part.start < part.end && part.end <= size, "{asked} of {size}");
                }
            }
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
