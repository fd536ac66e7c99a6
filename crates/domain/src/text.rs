//! Texts people write: handles, names, e-mail addresses, descriptions, and what is wrong with them.

use serde::Serialize;

/// One thing wrong with an input, at a JSON Pointer (RFC 6901) into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where, such as `/members/0/email`.
    pub pointer: String,
    /// What is wrong and what to write instead.
    pub detail: String,
}

/// Collects everything wrong with an input, so that all of it is answered at once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// No faults yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a fault.
    pub fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Fault { pointer: pointer.into(), detail: detail.into() });
    }

    /// Notes the fault of a failed check, or hands its value on.
    pub fn check<T, E: std::fmt::Display>(&mut self, pointer: impl Into<String>, checked: Result<T, E>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(pointer, error.to_string());
                None
            }
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults, in the order they were found.
    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }

    /// `value` when there is no fault, the faults otherwise.
    ///
    /// # Errors
    /// The faults that were noted.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Nothing but white space.
    #[error("this must not be empty")]
    Empty,
    /// Too many characters.
    #[error("this may have at most {0} characters")]
    TooLong(usize),
    /// A control character.
    #[error("this must not contain control characters")]
    Control,
    /// Not an e-mail address.
    #[error("this does not look like an e-mail address; write it like name@company.example")]
    Email,
    /// Not a handle.
    #[error("a handle has 2 to 63 lower-case letters, digits and single hyphens, and starts and ends with a letter or digit")]
    Handle,
    /// A handle that Stoa keeps for itself.
    #[error("this handle is reserved; choose another")]
    Reserved,
    /// Not an absolute web address.
    #[error("write an absolute address that starts with https:// (http:// for loopback only)")]
    Url,
    /// Not a telephone number.
    #[error("write the number with its country, like +49 40 1234567")]
    Phone,
}

/// A single line of at most `max` characters, trimmed and not empty.
///
/// # Errors
/// [`BadText::Empty`], [`BadText::TooLong`], [`BadText::Control`].
pub fn line(text: &str, max: usize) -> Result<String, BadText> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadText::Empty);
    }
    optional_line(text, max)
}

/// Like [`line`], but may be empty.
///
/// # Errors
/// [`BadText::TooLong`], [`BadText::Control`].
pub fn optional_line(text: &str, max: usize) -> Result<String, BadText> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(BadText::Control);
    }
    bounded(text, max)
}

/// Several lines of at most `max` characters; line breaks and tabs are kept, other control characters refused.
///
/// # Errors
/// [`BadText::TooLong`], [`BadText::Control`].
pub fn block(text: &str, max: usize) -> Result<String, BadText> {
    let text = text.trim().replace("\r\n", "\n");
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(BadText::Control);
    }
    bounded(&text, max)
}

fn bounded(text: &str, max: usize) -> Result<String, BadText> {
    if text.chars().count() > max { Err(BadText::TooLong(max)) } else { Ok(text.to_owned()) }
}

/// An e-mail address (the shape of RFC 5321 without quoting), trimmed and in lower case, which is the form in which it
/// identifies an account.
///
/// # Errors
/// [`BadText::Email`].
pub fn email(text: &str) -> Result<String, BadText> {
    let text = text.trim().to_lowercase();
    let Some((local, host)) = text.rsplit_once('@') else { return Err(BadText::Email) };
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let host_ok = host.len() <= 253
        && host.contains('.')
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    if local_ok && host_ok { Ok(text) } else { Err(BadText::Email) }
}

const RESERVED: [&str; 14] =
    ["new", "handle", "api", "admin", "operator", "assets", "health", "metrics", "oauth2", "me", "all", "none", "stoa", "suggestions"];

/// A handle: URL-safe, and never of the form of an id, so that one path segment can name either.
///
/// # Errors
/// [`BadText::Handle`], [`BadText::Reserved`].
pub fn handle(text: &str) -> Result<String, BadText> {
    let text = text.trim();
    let fits = (2..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--");
    if !fits {
        return Err(BadText::Handle);
    }
    if RESERVED.contains(&text) { Err(BadText::Reserved) } else { Ok(text.to_owned()) }
}

/// A handle made from a name: `Grid Planning (North)` gives `grid-planning-north`. Always passes [`handle`]; a name
/// without usable characters gives `fallback`.
pub fn handle_from(name: &str, fallback: &str) -> String {
    let mut made = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        let plain = match c {
            'a'..='z' | '0'..='9' => Some(c),
            'ä' | 'à' | 'á' | 'â' | 'å' | 'ã' => Some('a'),
            'ö' | 'ò' | 'ó' | 'ô' | 'ø' | 'õ' => Some('o'),
            'ü' | 'ù' | 'ú' | 'û' => Some('u'),
            'é' | 'è' | 'ê' | 'ë' => Some('e'),
            'í' | 'ì' | 'î' | 'ï' => Some('i'),
            'ñ' => Some('n'),
            'ç' => Some('c'),
            _ => None,
        };
        match plain {
            Some(c) => made.push(c),
            None if !made.ends_with('-') && !made.is_empty() => made.push('-'),
            None => {}
        }
        if made.len() >= 48 {
            break;
        }
    }
    let made = made.trim_end_matches('-');
    match handle(made) {
        Ok(good) => good,
        Err(_) => handle(&format!("{fallback}-{made}")).unwrap_or_else(|_| fallback.to_owned()),
    }
}

/// An absolute `https` address of at most 2,000 characters (`http` only for loopback hosts).
///
/// # Errors
/// [`BadText::Url`], [`BadText::TooLong`].
pub fn url(text: &str) -> Result<String, BadText> {
    let text = line(text, 2_000)?;
    let rest = text.strip_prefix("https://").or_else(|| {
        let rest = text.strip_prefix("http://")?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or("");
        let name = if host.starts_with('[') { host.split(']').next() } else { host.split(':').next() };
        matches!(name, Some("localhost" | "127.0.0.1" | "[::1")).then_some(rest)
    });
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':', '@']) && !text.contains(char::is_whitespace) => Ok(text),
        _ => Err(BadText::Url),
    }
}

/// A telephone number in international form (E.164: `+`, then 7 to 15 digits), with the usual separators.
///
/// # Errors
/// [`BadText::Phone`].
pub fn phone(text: &str) -> Result<String, BadText> {
    let text = text.trim();
    let rest = text.strip_prefix('+').ok_or(BadText::Phone)?;
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    let fits = rest.len() <= 30 && rest.bytes().all(|b| b.is_ascii_digit() || b" -/().".contains(&b));
    if fits && (7..=15).contains(&digits) { Ok(text.to_owned()) } else { Err(BadText::Phone) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_url_safe() {
        assert_eq!(handle("grid-planning"), Ok("grid-planning".into()));
        for bad in ["", "a", "-ab", "ab-", "a--b", "Ab", "a_b", "org_01"] {
            assert_eq!(handle(bad), Err(BadText::Handle), "{bad}");
        }
        assert_eq!(handle("new"), Err(BadText::Reserved));
    }

    #[test]
    fn e_mail_addresses_are_folded_and_checked() {
        assert_eq!(email(" Ada@Works.Example "), Ok("ada@works.example".into()));
        for bad in ["", "ada", "ada@works", "@works.example", "a b@works.example", "ada@-works.example", "a..b@works.example"] {
            assert_eq!(email(bad), Err(BadText::Email), "{bad}");
        }
    }

    #[test]
    fn no_text_lets_a_nul_through() {
        assert_eq!(line("a\0b", 10), Err(BadText::Control));
        assert_eq!(block("a\0b", 10), Err(BadText::Control));
        assert_eq!(block("a\r\nb", 10), Ok("a\nb".into()));
    }

    #[test]
    fn web_addresses_are_https_except_on_loopback() {
        assert!(url("https://terms.example/a").is_ok());
        assert!(url("http://127.0.0.1:9000/cb").is_ok());
        for bad in ["http://terms.example", "javascript:alert(1)", "https://", "https:///x", "ftp://a.example"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn telephone_numbers_begin_with_their_country() {
        assert_eq!(phone(" +49 (40) 12-34 567"), Ok("+49 (40) 12-34 567".into()));
        for bad in ["", "040 1234567", "+49 123", "+49 40 1234567890123456", "+49 40 CALL NOW", "++49401234567"] {
            assert_eq!(phone(bad), Err(BadText::Phone), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_handle_made_from_any_name_is_a_handle(name in ".{0,80}") {
            proptest::prop_assert!(handle(&handle_from(&name, "project")).is_ok());
        }
    }
}
