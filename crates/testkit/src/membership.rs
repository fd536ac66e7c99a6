//! The members of an organization as its log tells them, to be compared with those it has.

use std::collections::BTreeMap;

use serde_json::Value;

/// Roles by the ids of the users who have them.
pub type Members = BTreeMap<String, String>;

/// Replays the events of a log, as `GET …/events` gives them from the first one on: who is a member after the last one.
///
/// # Errors
/// The first event that does not fit those before it: a number left out, somebody added twice or changed without being a
/// member, a change by a person who was no maintainer at that moment, or one that leaves no maintainer.
pub fn replay_members(events: &[Value]) -> Result<Members, String> {
    let mut members = Members::new();
    for (event, due) in events.iter().zip(1_i64..) {
        if event["sequence"] != due {
            return Err(format!("{due} is due, but this is next: {event}"));
        }
        step(&mut members, event).map_err(|wrong| format!("{wrong}: {event}\nmembers before: {members:?}"))?;
    }
    Ok(members)
}

fn step(members: &mut Members, event: &Value) -> Result<(), &'static str> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, data) = (text(&event["type"]), &event["data"]);
    let (actor, subject) = (text(&event["actor"]["id"]), text(&event["subject"]["id"]));
    let maintains = event["actor"]["kind"] != "user" || members.get(&actor).is_some_and(|role| role == "maintainer");
    match kind.as_str() {
        "member.added" => {
            let invited = !data["invitation"].is_null() || !data["domain"].is_null();
            if !(maintains || invited || members.is_empty()) {
                return Err("added by somebody who was no maintainer");
            }
            if members.insert(subject, text(&data["role"])).is_some() {
                return Err("a member is added once more");
            }
        }
        "member.role_changed" if !maintains => return Err("changed by somebody who was no maintainer"),
        "member.role_changed" => match members.get_mut(&subject) {
            Some(role) if data["from"] == role.as_str() => *role = text(&data["to"]),
            _ => return Err("no member had this role"),
        },
        "member.removed" if !maintains && actor != subject => return Err("removed by somebody who was no maintainer"),
        "member.removed" => match members.remove(&subject) {
            Some(role) if data["role"] == role.as_str() => {}
            _ => return Err("no member had this role"),
        },
        "invitation.created" | "invitation.revoked" | "invitation.resent" if !maintains => {
            return Err("done by somebody who was no maintainer");
        }
        _ => return Ok(()),
    }
    if members.values().any(|role| role == "maintainer") { Ok(()) } else { Err("no maintainer is left") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::replay_members;

    /// A log of these events: what, by whom, to whom, and the details.
    fn log(events: &[(&str, &str, &str, Value)]) -> Vec<Value> {
        let event = |((kind, actor, subject, data), sequence): (&(&str, &str, &str, Value), i64)| json!({"sequence": sequence, "type": kind, "actor": {"kind": "user", "id": actor}, "subject": {"id": subject}, "data": data});
        events.iter().zip(1..).map(event).collect()
    }

    fn begun(more: &[(&str, &str, &str, Value)]) -> Vec<Value> {
        let mut events = vec![
            ("organization.created", "ada", "org", json!({})),
            ("member.added", "ada", "ada", json!({"role": "maintainer"})),
            ("member.added", "ada", "ben", json!({"role": "viewer"})),
        ];
        events.extend_from_slice(more);
        log(&events)
    }

    #[test]
    fn a_log_adds_up_to_its_members() {
        let members = replay_members(&begun(&[
            ("member.role_changed", "ada", "ben", json!({"from": "viewer", "to": "maintainer"})),
            ("member.removed", "ada", "ada", json!({"role": "maintainer", "left": true})),
            ("member.added", "cleo", "cleo", json!({"role": "editor", "invitation": "inv_1"})),
        ]));
        let due = [("ben".to_owned(), "maintainer".to_owned()), ("cleo".to_owned(), "editor".to_owned())];
        assert_eq!(members, Ok(due.into()));
    }

    #[test]
    fn what_does_not_fit_is_found() {
        for (what, by, to, data, wrong) in [
            ("member.added", "ada", "ben", json!({"role": "viewer"}), "once more"),
            ("member.added", "ben", "cleo", json!({"role": "viewer"}), "no maintainer"),
            ("member.role_changed", "ben", "ben", json!({"from": "viewer", "to": "maintainer"}), "no maintainer"),
            ("member.role_changed", "ada", "ben", json!({"from": "editor", "to": "viewer"}), "no member had this role"),
            ("member.removed", "ben", "ada", json!({"role": "maintainer"}), "no maintainer"),
            ("member.removed", "ada", "cleo", json!({"role": "viewer"}), "no member had this role"),
            ("member.removed", "ada", "ada", json!({"role": "maintainer"}), "no maintainer is left"),
            ("invitation.created", "ben", "inv", json!({}), "no maintainer"),
        ] {
            let found = replay_members(&begun(&[(what, by, to, data)])).expect_err(what);
            assert!(found.contains(wrong), "{found}");
        }
        let mut gap = begun(&[]);
        gap.remove(1);
        assert!(replay_members(&gap).expect_err("a gap").contains("2 is due"));
    }
}
