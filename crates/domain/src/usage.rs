//! Usage as services report it: CloudEvents 1.0 of type `stoa.usage.v1`, read, judged and made comparable.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    amounts::{Quantity, parse_quantity},
    ids::{ProjectId, SubscriptionId},
    meters::MAX_NAME,
    money::BadDecimal,
    text::{self, Faults},
    time::{DAY, NotATime, SECOND, Span, Ts},
};

/// The only type of event that reports usage.
pub const USAGE_TYPE: &str = "stoa.usage.v1";
/// Events one batch may hold.
pub const MAX_BATCH: usize = 1_000;
/// Characters an event's `id` may have.
pub const MAX_ID: usize = 200;
/// Characters an event's `source` may have.
pub const MAX_SOURCE: usize = 500;
/// How far a reported time may lie ahead of the clock here, in microseconds.
pub const MAX_AHEAD: i64 = DAY;

/// When something was used, as exactly as the report says: a time written in whole seconds means that second, one written
/// with three decimals that millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageTime {
    /// The instant that was written.
    pub at: Ts,
    /// The first instant after what was written.
    pub until: Ts,
}

impl UsageTime {
    /// Whether the usage falls under a grant: some of the time it names lies after the grant began, and all of it before
    /// the grant ended. So usage in the very second in which a project was added counts, and usage that may have happened
    /// after the project was taken out does not.
    pub fn covered_by(self, grant: Span) -> bool {
        self.until > grant.from && grant.to.is_none_or(|end| self.until <= end)
    }
}

impl std::str::FromStr for UsageTime {
    type Err = NotATime;
    /// Reads RFC 3339 strictly: `2026-03-12T09:30:00Z`, `2026-03-12T10:30:00.250+01:00`.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let bytes = text.as_bytes();
        let shaped = |part: &[u8], shape: &[u8]| {
            part.len() == shape.len()
                && part.iter().zip(shape).all(|(&b, &s)| match s {
                    b'0' => b.is_ascii_digit(),
                    b'T' | b'Z' => b.eq_ignore_ascii_case(&s),
                    b'+' => b == b'+' || b == b'-',
                    _ => b == s,
                })
        };
        let (seconds, rest) = bytes.split_at_checked(19).ok_or(NotATime)?;
        let (places, zone) = match rest.split_first() {
            Some((b'.', rest)) => {
                let places = rest.iter().take_while(|b| b.is_ascii_digit()).count();
                if !(1..=9).contains(&places) {
                    return Err(NotATime);
                }
                (places, rest.get(places..).unwrap_or_default())
            }
            _ => (0, rest),
        };
        if !shaped(seconds, b"0000-00-00T00:00:00") || !(shaped(zone, b"Z") || shaped(zone, b"+00:00")) {
            return Err(NotATime);
        }
        let at: Ts = text.parse()?;
        let precision = (0..places).fold(SECOND, |unit, _| (unit / 10).max(1));
        Ok(Self { at, until: at.plus(precision) })
    }
}

/// A project as a report names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProjectRef {
    /// By its id.
    Id(ProjectId),
    /// By its handle, within the organization of the subscription.
    Handle(String),
}

impl ProjectRef {
    fn read(text: &str) -> Result<Self, &'static str> {
        let id = text.parse().map(Self::Id);
        id.or_else(|_| text::handle(text).map(Self::Handle)).map_err(|_| "name a project by its id (prj_…) or its handle")
    }
}

/// One report of usage that passed every rule that can be told from the report alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEvent {
    /// Who counts: with `id` and `subscription` the key of the event.
    pub source: String,
    /// The event's name within its source.
    pub id: String,
    /// For which subscription.
    pub subscription: SubscriptionId,
    /// When it was used.
    pub time: UsageTime,
    /// With which project's data.
    pub project: ProjectRef,
    /// On which meter of the plan.
    pub meter: String,
    /// How much; a correction is negative.
    pub quantity: Quantity,
    /// What the event says, whatever its key order, white space, time zone and trailing zeros.
    pub body_hash: [u8; 32],
}

/// How an event relates to one received earlier under the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// There was none: count it.
    New,
    /// It said the same: it is counted already.
    Duplicate,
    /// It said something else: refuse.
    Conflict,
}

impl UsageEvent {
    /// Compares it with the hash kept for its key (subscription, source, id), if any.
    pub fn against(&self, known: Option<&[u8]>) -> Delivery {
        match known {
            None => Delivery::New,
            Some(hash) if hash == self.body_hash => Delivery::Duplicate,
            Some(_) => Delivery::Conflict,
        }
    }
}

/// Reads a batch; faults point into it (`/3/data/quantity`).
///
/// # Errors
/// Everything wrong with any of its events.
pub fn parse_batch(events: &[Value], now: Ts) -> Result<Vec<UsageEvent>, Faults> {
    let mut faults = Faults::new();
    if events.is_empty() || events.len() > MAX_BATCH {
        faults.add("", format!("a batch holds 1 to {MAX_BATCH} events"));
        return Err(faults);
    }
    let read: Vec<_> = events.iter().enumerate().map(|(i, event)| parse_event(event, &format!("/{i}"), now, &mut faults)).collect();
    faults.or(read.into_iter().collect())
}

/// Reads one event. Faults are noted under `at`; an event without faults is returned.
///
/// `specversion` may be left out; when it is there it must be `1.0`. Attributes that are not known here are extensions:
/// allowed, not interpreted, part of what the event says.
pub fn parse_event(event: &Value, at: &str, now: Ts, faults: &mut Faults) -> Option<UsageEvent> {
    let Some(attributes) = event.as_object() else {
        faults.add(at, "an event is a JSON object with id, source, type, time, subject and data");
        return None;
    };
    let sound = envelope(attributes, at, faults);
    let id = text_at(attributes, "id", at, faults).and_then(|id| exact_line(id, MAX_ID, "id", at, faults));
    let source = text_at(attributes, "source", at, faults).and_then(|source| exact_line(source, MAX_SOURCE, "source", at, faults));
    let subscription = text_at(attributes, "subject", at, faults)
        .and_then(|subject| faults.check(format!("{at}/subject"), subject.parse::<SubscriptionId>()));
    let time = text_at(attributes, "time", at, faults).and_then(|time| {
        let time = faults.check(format!("{at}/time"), time.parse::<UsageTime>())?;
        if time.at > now.plus(MAX_AHEAD) {
            faults.add(format!("{at}/time"), "this lies more than one day in the future");
            return None;
        }
        Some(time)
    });
    let at_data = format!("{at}/data");
    let Some(data) = attributes.get("data").and_then(Value::as_object) else {
        faults.add(at_data, "write an object with project, meter and quantity");
        return None;
    };
    let project = text_at(data, "project", &at_data, faults)
        .and_then(|project| faults.check(format!("{at_data}/project"), ProjectRef::read(project)));
    let meter = text_at(data, "meter", &at_data, faults).and_then(|meter| exact_line(meter, MAX_NAME, "meter", &at_data, faults));
    let quantity = match data.get("quantity") {
        Some(quantity) => {
            let read = quantity.as_str().ok_or(BadDecimal::NotAString).and_then(parse_quantity);
            faults.check(format!("{at_data}/quantity"), read)
        }
        None => {
            faults.add(format!("{at_data}/quantity"), "this is missing; write a decimal string such as \"12.5\"");
            None
        }
    };
    let (time, quantity) = (time?, quantity?);
    let body_hash = body_hash(attributes, data, time, quantity);
    let event =
        UsageEvent { source: source?, id: id?, subscription: subscription?, time, project: project?, meter: meter?, quantity, body_hash };
    sound.then_some(event)
}

/// The attributes that say what kind of event it is; whether they are as they must be.
fn envelope(attributes: &Map<String, Value>, at: &str, faults: &mut Faults) -> bool {
    let mut found = Faults::new();
    if attributes.get("specversion").is_some_and(|version| version != "1.0") {
        found.add(format!("{at}/specversion"), "only CloudEvents \"1.0\" is understood");
    }
    if let Some(kind) = text_at(attributes, "type", at, &mut found)
        && kind != USAGE_TYPE
    {
        found.add(format!("{at}/type"), format!("only \"{USAGE_TYPE}\" reports usage"));
    }
    if attributes.get("datacontenttype").is_some_and(|kind| !kind.as_str().is_some_and(is_json)) {
        found.add(format!("{at}/datacontenttype"), "data is \"application/json\"");
    }
    if attributes.contains_key("data_base64") {
        found.add(format!("{at}/data_base64"), "send the data as JSON under data");
    }
    let sound = found.is_empty();
    for fault in found.into_vec() {
        faults.add(fault.pointer, fault.detail);
    }
    sound
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

fn text_at<'a>(object: &'a Map<String, Value>, field: &str, at: &str, faults: &mut Faults) -> Option<&'a str> {
    match object.get(field) {
        Some(Value::String(text)) => return Some(text),
        Some(_) => faults.add(format!("{at}/{field}"), "this must be a JSON string"),
        None => faults.add(format!("{at}/{field}"), "this is missing"),
    }
    None
}

/// Names are compared as they are, so white space around them is not cut off but refused.
fn exact_line(name: &str, max: usize, field: &str, at: &str, faults: &mut Faults) -> Option<String> {
    let line = faults.check(format!("{at}/{field}"), text::line(name, max))?;
    if line == name {
        return Some(line);
    }
    faults.add(format!("{at}/{field}"), "this must not begin or end with white space");
    None
}

/// Hashes what the event says: every attribute and member of data, sorted, with the time as an instant and the quantity
/// as a number. Left out are the two attributes that can only have one meaning.
fn body_hash(attributes: &Map<String, Value>, data: &Map<String, Value>, time: UsageTime, quantity: Quantity) -> [u8; 32] {
    let mut said = attributes.clone();
    said.remove("specversion");
    said.remove("datacontenttype");
    said.insert("time".to_owned(), Value::from(time.at.to_string()));
    let mut data = data.clone();
    data.insert("quantity".to_owned(), Value::from(quantity.to_string()));
    said.insert("data".to_owned(), Value::Object(data));
    let mut text = String::new();
    write_sorted(&Value::Object(said), &mut text);
    Sha256::digest(text.as_bytes()).into()
}

fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, member) in members {
                write_scalar(&Value::from(name.as_str()), out);
                out.push(':');
                write_sorted(member, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_sorted(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => write_scalar(scalar, out),
    }
}

fn write_scalar(scalar: &Value, out: &mut String) {
    // Writing into a String cannot fail.
    let _ = write!(out, "{scalar}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::ids::Id as _;

    fn now() -> Ts {
        "2026-03-12T12:00:00Z".parse().unwrap()
    }

    fn event() -> Value {
        let subscription = SubscriptionId::mint(now(), [1; 10]).to_string();
        json!({"specversion": "1.0", "id": "r-1", "source": "/collector", "type": USAGE_TYPE, "time": "2026-03-12T09:30:00Z",
            "subject": subscription, "data": {"project": "atlas-nimbus", "meter": "requests", "quantity": "0.0000001453"}})
    }

    fn with(path: &str, value: Value) -> Value {
        let mut event = event();
        let (parent, field) = path.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(field.to_owned(), value);
        event
    }

    fn read(event: &Value) -> UsageEvent {
        let mut faults = Faults::new();
        let read = parse_event(event, "", now(), &mut faults);
        read.unwrap_or_else(|| panic!("{faults:?}"))
    }

    fn pointers(event: &Value) -> Vec<String> {
        let mut faults = Faults::new();
        let read = parse_event(event, "/0", now(), &mut faults);
        assert_eq!(read.is_some(), faults.is_empty());
        faults.into_vec().into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn an_event_is_read_with_all_its_parts() {
        let event = read(&event());
        assert_eq!(event.id, "r-1");
        assert_eq!(event.project, ProjectRef::Handle("atlas-nimbus".into()));
        assert_eq!(event.quantity.to_string(), "0.0000001453");
        let project = ProjectId::mint(now(), [2; 10]);
        assert_eq!(read(&with("/data/project", json!(project.to_string()))).project, ProjectRef::Id(project));
        assert!(read(&with("/data/quantity", json!("-5"))).quantity.is_negative());
        read(&with("/datacontenttype", json!("application/json; charset=utf-8")));
    }

    #[test]
    fn each_fault_is_named_at_its_place() {
        assert_eq!(pointers(&json!({})), ["/0/type", "/0/id", "/0/source", "/0/subject", "/0/time", "/0/data"]);
        assert_eq!(pointers(&json!(3)), ["/0"]);
        for (at, value) in [
            ("/specversion", json!("0.3")),
            ("/type", json!("other")),
            ("/id", json!("")),
            ("/id", json!(5)),
            ("/source", json!(" x")),
            ("/subject", json!("prj_1")),
            ("/time", json!("2026-03-12")),
            ("/time", json!("2026-03-12 09:30:00Z")),
            ("/time", json!("2026-03-12T09:30:00")),
            ("/time", json!("2026-03-13T12:00:00.001Z")),
            ("/data", json!([])),
            ("/data/project", json!("Not A Handle")),
            ("/data/meter", json!("")),
            ("/data/quantity", json!(5)),
            ("/data/quantity", json!("1e3")),
            ("/datacontenttype", json!("text/plain")),
            ("/data_base64", json!("AA==")),
        ] {
            assert_eq!(pointers(&with(at, value.clone())), [format!("/0{at}")], "{value}");
        }
        assert!(pointers(&with("/time", json!("2026-03-13T12:00:00Z"))).is_empty());
    }

    #[test]
    fn a_batch_names_the_event_and_has_a_limit() {
        let at = |batch: &[Value]| parse_batch(batch, now()).unwrap_err().into_vec().remove(0).pointer;
        assert_eq!(at(&[event(), with("/data/quantity", json!("x"))]), "/1/data/quantity");
        assert_eq!(at(&[]), "");
        assert_eq!(at(&vec![event(); MAX_BATCH + 1]), "");
        assert_eq!(parse_batch(&vec![event(); 3], now()).unwrap().len(), 3);
    }

    #[test]
    fn the_same_said_differently_is_a_duplicate_and_something_else_a_conflict() {
        let first = read(&event());
        let mut bare = event();
        bare.as_object_mut().unwrap().remove("specversion");
        for same in [
            serde_json::from_str(&serde_json::to_string_pretty(&event()).unwrap()).unwrap(),
            with("/time", json!("2026-03-12T10:30:00.000+01:00")),
            with("/data/quantity", json!("0.000000145300000")),
            bare,
        ] {
            assert_eq!(read(&same).against(Some(&first.body_hash)), Delivery::Duplicate, "{same}");
        }
        for other in [
            with("/time", json!("2026-03-12T09:30:01Z")),
            with("/data/quantity", json!("0.0000001454")),
            with("/data/meter", json!("transfers")),
            with("/data/region", json!("north")),
            with("/traceparent", json!("00-1")),
        ] {
            assert_eq!(read(&other).against(Some(&first.body_hash)), Delivery::Conflict, "{other}");
        }
        assert_eq!(first.against(None), Delivery::New);
    }

    #[test]
    fn usage_counts_from_the_second_a_grant_began_and_not_in_the_second_it_ended() {
        let covered = |time: &str, from: &str, to: Option<&str>| {
            let grant = Span::new(from.parse().unwrap(), to.map(|to| to.parse().unwrap()));
            time.parse::<UsageTime>().unwrap().covered_by(grant)
        };
        let (began, ended) = ("2026-03-12T09:00:00.300Z", Some("2026-03-12T10:00:00.700Z"));
        assert!(covered("2026-03-12T09:00:00Z", began, ended));
        assert!(!covered("2026-03-12T09:00:00.000Z", began, ended));
        assert!(!covered("2026-03-12T09:00:00.299999Z", began, ended));
        assert!(covered("2026-03-12T09:00:00.3Z", began, ended));
        assert!(!covered("2026-03-12T08:59:59Z", began, ended));
        assert!(covered("2026-03-12T09:59:59Z", began, ended));
        assert!(!covered("2026-03-12T10:00:00Z", began, ended));
        assert!(covered("2026-03-12T10:00:00.699Z", began, ended));
        assert!(!covered("2026-03-12T10:00:00.7Z", began, ended));
        assert!(covered("2030-01-01T00:00:00Z", began, None));
        assert!(!covered("2026-03-12T09:00:00Z", began, Some(began)));
    }

    proptest! {
        #[test]
        fn coverage_never_reaches_past_the_end_of_a_grant(at in -5_000_000_i64..5_000_000, places in 0_u32..7, from in 0_i64..3_000_000, length in 0_i64..3_000_000) {
            let unit = 10_i64.pow(6 - places);
            let at = Ts::from_micros(now().micros() + at.div_euclid(unit) * unit);
            let written = at.to_string();
            let text = if places == 0 { format!("{}Z", &written[..19]) } else { format!("{}Z", &written[..20 + places as usize]) };
            let time: UsageTime = text.parse().unwrap();
            prop_assert_eq!((time.at, time.until), (at, at.plus(unit)));
            let grant = Span::new(now().plus(from), Some(now().plus(from + length)));
            if time.covered_by(grant) {
                let mut instants = [time.at, time.until.plus(-1)];
                instants.sort_unstable();
                prop_assert!(grant.contains(instants[1]));
                prop_assert!(time.until > grant.from);
            } else {
                prop_assert!(!grant.contains(time.at) || !grant.contains(time.until.plus(-1)));
            }
        }

        #[test]
        fn no_time_or_event_makes_reading_panic(text in "[0-9TZz:.+ -]{0,40}", noise in ".{0,60}") {
            let _ = text.parse::<UsageTime>();
            let _ = noise.parse::<UsageTime>();
            let mut faults = Faults::new();
            let _ = parse_event(&with("/time", json!(text)), "", now(), &mut faults);
            let _ = parse_event(&with("/data/quantity", json!(noise)), "", now(), &mut faults);
        }
    }
}
