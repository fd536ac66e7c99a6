//! A catalogue of services read from a file of another system: one service a line, gathered by provider.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    naming,
    services::{DESCRIPTION, ServiceText},
    text::{self, Faults},
};

/// The longest summary that is made of a description, in characters.
const SUMMARY: usize = 200;

/// Where handles that are made of names are cut off.
const HANDLE: usize = 48;

/// A provider of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedProvider {
    /// Its name.
    pub name: String,
    /// Its handle, made from the name.
    pub handle: String,
    /// Its services, in the order of the file.
    pub services: Vec<ImportedService>,
}

/// A service of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedService {
    /// The line on which it stands, counted from 1.
    pub line: usize,
    /// Its handle, made from provider and service: what it is found by when the file is imported again.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// The beginning of its description, in one line.
    pub summary: String,
    /// Its description with version, licence and contact.
    pub description: String,
    /// Where the marketplace lists it.
    pub categories: Vec<String>,
    /// Where its terms are to be read.
    pub terms_url: Option<String>,
}

/// One thing wrong with one line of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {detail}", place(field))]
pub struct LineFault {
    /// The line, counted from 1.
    pub line: usize,
    /// The member of the object; empty for all of the line.
    pub field: String,
    /// What is wrong and what to do.
    pub detail: String,
}

fn place(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!(", {field}") }
}

/// A provider that can't be taken over, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitProvider {
    /// Its name; empty for lines that name none.
    pub name: String,
    /// What is wrong.
    pub faults: Vec<LineFault>,
}

#[derive(Deserialize)]
struct Written {
    name: String,
    provider: String,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    categories: Option<Vec<String>>,
    #[serde(default)]
    license: Option<String>,
    #[serde(default)]
    terms: Option<String>,
    #[serde(default)]
    contact: Option<String>,
}

#[derive(Default)]
struct Gathered {
    services: Vec<ImportedService>,
    faults: Vec<LineFault>,
    /// The lines on which services stand, by handle.
    lines: HashMap<String, usize>,
}

/// Reads a file of lines `{name, provider, service, version, description, categories, license, terms, contact}`, all but the
/// first two of which may be missing or null; a provider with one service need not call it anything. Each provider is fit with all its services, or told what is wrong.
pub fn read(text: &str) -> Vec<Result<ImportedProvider, UnfitProvider>> {
    let mut order: Vec<String> = Vec::new();
    let mut all: BTreeMap<String, Gathered> = BTreeMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line_number = index + 1;
        let (provider, read) = match serde_json::from_str::<Written>(line) {
            Ok(written) => (written.provider.trim().to_owned(), service(line_number, written)),
            Err(bad) => (provider_of(line), Err(vec![fault(line_number, "", format!("{bad}; see the guide for the form of a line"))])),
        };
        if !all.contains_key(&provider) {
            order.push(provider.clone());
        }
        let gathered = all.entry(provider).or_default();
        match read {
            Ok(service) => gathered.add(service),
            Err(faults) => gathered.faults.extend(faults),
        }
    }
    let read: Vec<_> = order.into_iter().map(|name| all.remove(&name).unwrap_or_default().finish(name)).collect();
    told_apart(read)
}

fn fault(line: usize, field: &str, detail: impl Into<String>) -> LineFault {
    LineFault { line, field: field.to_owned(), detail: detail.into() }
}

/// The provider that a line names although it does not fit.
fn provider_of(line: &str) -> String {
    let read: Option<serde_json::Value> = serde_json::from_str(line).ok();
    read.as_ref().and_then(|value| value["provider"].as_str()).unwrap_or_default().trim().to_owned()
}

impl Gathered {
    fn add(&mut self, service: ImportedService) {
        if let Some(first) = self.lines.insert(service.handle.clone(), service.line) {
            let detail = format!("line {first} names the same service of this provider; leave one out");
            self.faults.push(fault(service.line, "service", detail));
        }
        self.services.push(service);
    }

    fn finish(self, name: String) -> Result<ImportedProvider, UnfitProvider> {
        let mut faults = self.faults;
        let mut named = Faults::new();
        let checked = naming::check_name(&name, &mut named);
        let handle = naming::check_handle(&text::handle_from(&checked, "provider"), &mut named);
        let line = self.services.first().map(|service| service.line).or_else(|| faults.first().map(|fault| fault.line)).unwrap_or(1);
        if faults.is_empty() || !name.is_empty() {
            faults.extend(named.into_vec().into_iter().map(|bad| fault(line, "provider", bad.detail)));
        }
        if faults.is_empty() {
            Ok(ImportedProvider { name: checked, handle, services: self.services })
        } else {
            Err(UnfitProvider { name, faults })
        }
    }
}

/// Refuses providers whose names make one handle.
fn told_apart(read: Vec<Result<ImportedProvider, UnfitProvider>>) -> Vec<Result<ImportedProvider, UnfitProvider>> {
    let mut taken: HashMap<String, String> = HashMap::new();
    read.into_iter()
        .map(|one| {
            let provider = one?;
            if let Some(other) = taken.insert(provider.handle.clone(), provider.name.clone()) {
                let line = provider.services.first().map_or(1, |service| service.line);
                let detail = format!("{} and {other} make the same handle, {}; rename one", provider.name, provider.handle);
                return Err(UnfitProvider { name: provider.name, faults: vec![fault(line, "provider", detail)] });
            }
            Ok(provider)
        })
        .collect()
}

fn service(line: usize, written: Written) -> Result<ImportedService, Vec<LineFault>> {
    let mut faults = Faults::new();
    if written.provider.trim().is_empty() {
        faults.add("/provider", "this must not be empty");
    }
    let handle = handle(written.provider.trim(), written.service.as_deref().unwrap_or_default().trim());
    let name = written.name.trim().to_owned();
    let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let about = given(&written.description).unwrap_or_default();
    let summary = match summary(&about) {
        summary if summary.is_empty() => shortened(&format!("{name} of {}", written.provider.trim())),
        summary => summary,
    };
    let terms = given(&written.terms);
    let terms_url = terms.as_deref().and_then(|terms| text::url(terms).ok());
    let rest = [
        ("Version", given(&written.version)),
        ("Licence", given(&written.license)),
        ("Terms", terms.filter(|_| terms_url.is_none())),
        ("Contact", given(&written.contact)),
    ];
    let text = ServiceText {
        name,
        handle: Some(handle.clone()),
        summary,
        description: described(&about, &rest),
        categories: written.categories.unwrap_or_default(),
    };
    let text = text.check(&mut faults);
    let faults: Vec<LineFault> =
        faults.into_vec().into_iter().map(|bad| fault(line, bad.pointer.trim_start_matches('/'), bad.detail)).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let ServiceText { name, summary, description, categories, .. } = text;
    Ok(ImportedService { line, handle, name, summary, description, categories, terms_url })
}

/// The same handle each time, and another for each service of the file. A long one ends with digits of a hash, and so does
/// one of letters of which handles keep none.
fn handle(provider: &str, service: &str) -> String {
    let whole = format!("{provider} {service}").trim().to_owned();
    let made = text::handle_from(&whole, "service");
    // What is cut off ends at this length, or one before it.
    if whole.is_ascii() && made.len() < HANDLE - 1 {
        return made;
    }
    let hash = hex::encode(Sha256::digest(whole.as_bytes()));
    format!("{}-{}", made.get(..HANDLE - 9).unwrap_or(&made).trim_end_matches('-'), hash.get(..8).unwrap_or_default())
}

/// The description with what the file tells beside it, as a list at its end.
fn described(about: &str, rest: &[(&str, Option<String>)]) -> String {
    let lines: Vec<String> = rest.iter().filter_map(|(what, value)| Some(format!("- {what}: {}", linked(value.as_ref()?)))).collect();
    let list = lines.join("\n");
    let room = DESCRIPTION.saturating_sub(list.chars().count() + 2);
    let about: String = about.chars().take(room).collect();
    [about, list].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// A value as Markdown that shows it as it is; web addresses as links.
fn linked(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    if (line.starts_with("https://") || line.starts_with("http://")) && !line.contains(['<', '>', ' ']) {
        return format!("<{line}>");
    }
    line.chars().flat_map(|c| "\\`*_{}[]<>#|!~&".contains(c).then_some('\\').into_iter().chain(std::iter::once(c))).collect()
}

/// The first sentence of a Markdown or HTML text that says enough, without its marks, in one line.
fn summary(text: &str) -> String {
    let plain = plain(text);
    let mut end = plain.len();
    for (at, _) in plain.match_indices(". ") {
        if plain.get(..at).is_some_and(|begin| begin.chars().count() >= 30) {
            end = at + 1;
            break;
        }
    }
    shortened(plain.get(..end).unwrap_or(&plain))
}

/// At most as many characters as a summary has, cut between words.
fn shortened(text: &str) -> String {
    if text.chars().count() <= SUMMARY {
        return text.to_owned();
    }
    let cut: String = text.chars().take(SUMMARY - 1).collect();
    let end = cut.rfind(' ').filter(|end| *end > SUMMARY / 2).unwrap_or(cut.len());
    format!("{}…", cut.get(..end).unwrap_or(&cut).trim_end_matches([',', ';', ':', '.', ' ']))
}

/// The words of a Markdown or HTML text: tags, headings' and emphasis' marks and the addresses of links are left out.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '[', ']']) {
        plain.push_str(&rest[..at]);
        let mark = &rest[at..];
        rest = &mark[1..];
        if mark.starts_with('<') {
            let is_tag = rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
            match rest.find('>').filter(|_| is_tag) {
                Some(end) => {
                    plain.push(' ');
                    rest = &rest[end + 1..];
                }
                None => plain.push('<'),
            }
        } else if mark.starts_with("](")
            && let Some(end) = rest.find(')')
        {
            rest = &rest[end + 1..];
        }
    }
    plain.push_str(rest);
    for (entity, letter) in [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
        plain = plain.replace(entity, letter);
    }
    plain.retain(|c| c != '*' && c != '`');
    let words = plain.split_whitespace().map(|word| word.trim_matches(['_', '#'])).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.map(|word| word.trim_matches(|c: char| c.is_control())).collect();
    words.join(" ").trim_start_matches(['-', '>', ' ', '=']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, provider: &str, service: &str) -> String {
        serde_json::json!({"name": name, "provider": provider, "service": service, "categories": ["open_data"]}).to_string()
    }

    #[test]
    fn lines_are_gathered_by_provider_in_their_order() {
        let text =
            [line("Load", "grid.example", "load"), line("Sun", "sun.example", ""), String::new(), line("Map", "grid.example", "Map_v2")];
        let read = read(&text.join("\n"));
        let grid = read[0].as_ref().unwrap();
        assert_eq!((grid.name.as_str(), grid.handle.as_str()), ("grid.example", "grid-example"));
        let services: Vec<_> = grid.services.iter().map(|one| (one.line, one.handle.as_str(), one.name.as_str())).collect();
        assert_eq!(services, [(1, "grid-example-load", "Load"), (4, "grid-example-map-v2", "Map")]);
        assert_eq!(grid.services[0].categories, ["open-data"]);
        assert_eq!(grid.services[0].summary, "Load of grid.example");
        let sun = read[1].as_ref().unwrap();
        assert_eq!((sun.name.as_str(), sun.services[0].handle.as_str()), ("sun.example", "sun-example"));
    }

    #[test]
    fn a_fault_names_its_line_and_spoils_its_provider_only() {
        let text = [
            line("Load", "grid.example", "load"),
            line("Sun", "sun.example", "sun"),
            line(" ", "grid.example", "map"),
            line("Again", "sun.example", "Sun"),
            "{".into(),
            r#"{"name": 7, "provider": "seven.example", "service": "x"}"#.into(),
            line("Fine", "fine.example", "fine"),
        ];
        let read = read(&text.join("\n"));
        let wrong: Vec<_> =
            read.iter().map(|one| one.as_ref().map_or_else(|bad| bad.faults[0].to_string(), |good| good.name.clone())).collect();
        assert_eq!(wrong[0], "line 3, name: this must not be empty");
        assert_eq!(wrong[1], "line 4, service: line 2 names the same service of this provider; leave one out");
        assert!(wrong[2].starts_with("line 5: EOF while parsing"), "{}", wrong[2]);
        assert!(wrong[3].starts_with("line 6: invalid type: integer `7`"), "{}", wrong[3]);
        assert_eq!(read[3].as_ref().unwrap_err().name, "seven.example");
        assert_eq!(wrong[4], "fine.example");
        assert_eq!(read.len(), 5);
    }

    #[test]
    fn providers_that_make_one_handle_are_told_apart() {
        let read = read(&[line("A", "a-b.example", "x"), line("B", "a.b.example", "x")].join("\n"));
        assert!(read[0].is_ok());
        assert!(read[1].as_ref().unwrap_err().faults[0].to_string().starts_with("line 2, provider: a.b.example and a-b.example make"));
    }

    #[test]
    fn a_summary_is_the_first_sentence_without_marks() {
        assert_eq!(summary("# Title\n\nThe [REST API](https://a.example/x) for *Ably*. More."), "Title The REST API for Ably. More.");
        assert_eq!(
            summary("<p>Forecasts the load of a whole region. And <b>more</b> than that.</p>"),
            "Forecasts the load of a whole region."
        );
        assert_eq!(summary("a < b &amp; c"), "a < b & c");
        let long = summary(&"word ".repeat(100));
        assert!(long.chars().count() <= SUMMARY && long.ends_with("word…"), "{long}");
        assert_eq!(summary("<div></div>"), "");
    }

    #[test]
    fn what_the_file_tells_beside_the_description_stands_at_its_end() {
        let text = serde_json::json!({
            "name": "Load", "provider": "grid.example", "service": "load", "version": "1.0*", "description": "About.\r\nMore.",
            "license": "Apache 2.0", "terms": "see <below>", "contact": "https://grid.example/contact",
        });
        let read = read(&text.to_string());
        let service = &read[0].as_ref().unwrap().services[0];
        let list = "- Version: 1.0\\*\n- Licence: Apache 2.0\n- Terms: see \\<below\\>\n- Contact: <https://grid.example/contact>";
        assert_eq!(service.description, format!("About.\nMore.\n\n{list}"));
        assert_eq!(service.terms_url, None);
    }

    proptest::proptest! {
        #[test]
        fn handles_are_handles_and_differ(one in "[a-z.]{1,30}", first in "\\PC{1,60}", second in "\\PC{1,60}") {
            let (a, b) = (handle(&one, first.trim()), handle(&one, second.trim()));
            proptest::prop_assert!(text::handle(&a).is_ok(), "{}", a);
            let letters = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
            if letters(&first) != letters(&second) {
                proptest::prop_assert_ne!(a, b);
            }
        }

        #[test]
        fn any_text_has_a_summary_that_fits(text in ".{0,400}") {
            proptest::prop_assert!(text::optional_line(&summary(&text), SUMMARY).is_ok() || text.contains(char::is_control));
        }
    }
}
