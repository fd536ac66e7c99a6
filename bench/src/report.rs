//! The rounds, their medians and the table.

use std::time::Duration;

use crate::{
    Failure,
    load::{Load, Round},
    yardsticks::Commits,
};

/// How long and how often is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rounds of each subject.
    pub rounds: usize,
    /// How long a round lasts.
    pub lasts: Duration,
    /// By how much prepared data is smaller than it should be.
    pub divide: usize,
}

/// What is measured.
pub enum Subject {
    /// A server.
    Http(Load),
    /// A database.
    Commits(Box<Commits>),
}

impl Subject {
    async fn round(&mut self, lasts: Duration) -> Result<Round, Failure> {
        match self {
            Self::Http(load) => load.round(lasts).await,
            Self::Commits(commits) => commits.round(lasts).await,
        }
    }
}

/// The rounds of a subject.
#[derive(Debug, Clone, Default)]
pub struct Measured(Vec<Round>);

impl Measured {
    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.0.iter().map(of).collect())
    }

    /// The median of the rates.
    pub fn rate(&self) -> f64 {
        self.median(|round| round.rate)
    }

    /// The median of the CPU times, in microseconds.
    pub fn cpu(&self) -> f64 {
        self.median(|round| round.cpu)
    }

    /// Lowest and highest rate.
    fn range(&self) -> (f64, f64) {
        self.0.iter().fold((f64::INFINITY, 0.0), |(low, high), round| (low.min(round.rate), high.max(round.rate)))
    }
}

/// How long answers took, one by one.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Extend<Duration> for Times {
    fn extend<T: IntoIterator<Item = Duration>>(&mut self, times: T) {
        self.0.extend(times);
        self.0.sort_unstable();
    }
}

impl Times {
    /// So many percent of the answers took no longer, in milliseconds.
    pub fn within(&self, percent: usize) -> f64 {
        let at = (self.0.len() * percent).div_ceil(100).max(1) - 1;
        self.0.get(at).map_or(f64::NAN, Duration::as_secs_f64) * 1e3
    }
}

/// The value in the middle.
pub fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    match all.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => all[count / 2],
        count => f64::midpoint(all[count / 2 - 1], all[count / 2]),
    }
}

/// Measures all subjects in turns, so that what else the machine does meanwhile meets all of them.
///
/// # Errors
/// The first unexpected answer.
pub async fn measure<const N: usize>(plan: &Plan, mut subjects: [Subject; N]) -> Result<[Measured; N], Failure> {
    // What is only slow the first time is not measured.
    for subject in &mut subjects {
        subject.round(plan.lasts / 4).await?;
    }
    let mut measured = [const { Measured(Vec::new()) }; N];
    for _ in 0..plan.rounds {
        for (subject, rounds) in subjects.iter_mut().zip(&mut measured) {
            rounds.0.push(subject.round(plan.lasts).await?);
        }
    }
    Ok(measured)
}

/// One line of the table.
pub struct Line {
    engine: &'static str,
    what: String,
    yardstick: String,
    values: [String; 5],
}

impl Line {
    /// A rate against the rate of a yardstick.
    pub fn rates(engine: &'static str, what: impl Into<String>, of: &Measured, yardstick: &str, by: &Measured) -> Self {
        let (low, high) = of.range();
        let (yard_low, yard_high) = by.range();
        Self {
            engine,
            what: what.into(),
            yardstick: yardstick.to_owned(),
            values: [
                format!("{} [{}–{}]", number(of.rate()), number(low), number(high)),
                format!("{} [{}–{}]", number(by.rate()), number(yard_low), number(yard_high)),
                ratio(of.rate() / by.rate()),
                format!("{} µs", number(of.cpu())),
                format!("{} µs", number(by.cpu())),
            ],
        }
    }

    /// How long answers took against those of a yardstick.
    pub fn times(engine: &'static str, what: impl Into<String>, of: &Times, yardstick: &str, by: &Times) -> Self {
        let none = || "–".to_owned();
        let shown = |times: &Times| format!("p50 {:.2} ms, p99 {:.2} ms", times.within(50), times.within(99));
        let ratio = ratio(of.within(50) / by.within(50));
        Self { engine, what: what.into(), yardstick: yardstick.to_owned(), values: [shown(of), shown(by), ratio, none(), none()] }
    }

    /// A value against an aim.
    pub fn aim(engine: &'static str, what: impl Into<String>, value: f64, aim: f64, unit: &str) -> Self {
        let none = || "–".to_owned();
        Self {
            engine,
            what: what.into(),
            yardstick: "the aim".to_owned(),
            values: [format!("{value:.1} {unit}"), format!("{aim} {unit}"), ratio(value / aim), none(), none()],
        }
    }
}

/// The table in Markdown.
pub fn table(lines: &[Line]) -> String {
    let mut text = String::from(
        "| figure | engine | Stoa | yardstick | against | ratio | CPU a request | CPU of the yardstick |\n|---|---|---:|---|---:|---:|---:|---:|\n",
    );
    for Line { engine, what, yardstick, values: [value, against, ratio, cpu, yardstick_cpu] } in lines {
        text.push_str(&format!("| {what} | {engine} | {value} | {yardstick} | {against} | **{ratio}** | {cpu} | {yardstick_cpu} |\n"));
    }
    text
}

/// Three digits that count.
fn ratio(value: f64) -> String {
    let places = if value >= 0.1 { 2 } else { 4 };
    format!("{value:.places$}")
}

/// A number as one reads it, with commas between thousands.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_what_most_answers_took() {
        let mut times = Times::default();
        times.extend((1..=200).rev().map(Duration::from_millis));
        assert_eq!((times.within(50), times.within(99), times.within(100)), (100.0, 198.0, 200.0));
        assert!(Times::default().within(50).is_nan());
    }

    #[test]
    fn a_ratio_is_one_of_medians_and_numbers_are_readable() {
        let rounds = |rates: &[f64]| Measured(rates.iter().map(|&rate| Round { rate, cpu: 10.0 }).collect());
        let line = Line::rates("SQLite", "reading", &rounds(&[900.0, 1_500.0, 1_000.0]), "hello", &rounds(&[1.0, 2_000.0, 12_345.6]));
        assert_eq!(
            table(&[line]).lines().last().unwrap(),
            "| reading | SQLite | 1,000 [900–1,500] | hello | 2,000 [1.0–12,346] | **0.50** | 10.0 µs | 10.0 µs |"
        );
        assert_eq!(rounds(&[1.0, 2.0, 3.0, 4.0]).rate(), 2.5);
    }
}
