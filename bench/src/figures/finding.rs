//! Searching the marketplace, of small and of large catalogues: how long one answer takes.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

use super::Bench;
use crate::{
    Failure,
    bulk::{
        Bulk,
        catalogue::{category, name, word},
    },
    load::{Load, Make},
    report::{Line, Times},
    stage::Stage,
};

/// Services of the catalogues, the smaller of which are parts of the larger.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// Answers that are timed of each kind.
const TIMED: usize = 400;

/// A kind of question: what it is called, and its path by number, so that no two in a row are the same.
type Kind = (&'static str, fn(usize) -> String);

/// What is asked.
const KINDS: [Kind; 8] = [
    ("marketplace, newest first", |_| "/api/v1/marketplace?limit=24".to_owned()),
    ("marketplace, one category by name", |number| format!("/api/v1/marketplace?limit=24&sort=name&category={}", category(number))),
    ("search for a name", |number| format!("/api/v1/marketplace?limit=24&q={}", plus(&name(number % SIZES[0])))),
    ("search for a frequent word", |number| format!("/api/v1/marketplace?limit=24&q={}", word(number % 50))),
    ("search for two words", |number| format!("/api/v1/marketplace?limit=24&q={}+{}", word(number % 40), word(41 + number % 37))),
    ("search for a word begun", |number| format!("/api/v1/marketplace?limit=24&q={}", word(number % 50).get(..4).unwrap_or_default())),
    ("search for a mistyped name", |number| format!("/api/v1/marketplace?limit=24&q={}", plus(&mistyped(&name(number % SIZES[0]))))),
    ("suggestions while typing", |number| format!("/api/v1/marketplace/suggestions?q={}", word(number % 200).get(..4).unwrap_or_default())),
];

fn plus(words: &str) -> String {
    words.replace(' ', "+")
}

/// Without its third letter.
fn mistyped(name: &str) -> String {
    let mut name = name.to_owned();
    name.remove(2);
    name
}

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    let stage = &bench.stage;
    let timed = TIMED / bench.plan.divide;
    stage.service("Template", 0).await?;
    let mut lines = Vec::new();
    let mut smallest: Vec<Times> = Vec::new();
    let mut from = 0;
    for size in SIZES.map(|size| size / bench.plan.divide) {
        let bulk = Bulk::open(&stage.database).await?;
        bulk.catalogue(from, size).await?;
        bulk.close().await?;
        from = size;
        for (kind, (what, path)) in KINDS.into_iter().enumerate() {
            let load = Load::new(stage.address, stage.pid(), 1, &[200], asking(stage, path));
            let hello = bench.hello.load(1);
            // In turns, so that what else the machine does meanwhile meets both.
            let (mut of, mut by) = (Times::default(), Times::default());
            load.times(timed / 10 + 1).await?;
            for _ in 0..4 {
                of.extend(load.times(timed / 4 + 1).await?);
                by.extend(hello.times(timed / 4 + 1).await?);
            }
            let what = format!("{what}, {size} services");
            lines.push(Line::times(stage.engine.name(), what.clone(), &of, "hello world", &by));
            match smallest.get(kind) {
                Some(small) => lines.push(Line::times(stage.engine.name(), what, &of, "the same of the smallest catalogue", small)),
                None => smallest.push(of),
            }
        }
    }
    Ok(lines)
}

fn asking(stage: &Stage, path: fn(usize) -> String) -> Make {
    let (address, (header, token)) = (stage.address.to_string(), stage.keeper());
    Arc::new(move |number| {
        let path = path(usize::try_from(number).unwrap_or(0));
        Request::get(path).header("host", &address).header(header, &token).body(Full::<Bytes>::default()).ok()
    })
}
