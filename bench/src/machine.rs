//! What the machine says about processes (Linux).

use std::{path::Path, time::Instant};

use crate::Failure;

/// The clock of all measurements.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures durations")]
pub fn now() -> Instant {
    Instant::now()
}

/// Clock ticks a second in `/proc`: fixed in the interface of Linux.
const TICKS: f64 = 100.0;

/// The CPU time a process has used, of the user and of the system.
///
/// # Errors
/// When there is no such process.
pub fn cpu_seconds(pid: u32) -> Result<f64, Failure> {
    let text = read(&format!("/proc/{pid}/stat"))?;
    // The name may hold spaces and stands in parentheses; user and system time are the 12th and 13th field after it.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}

/// The resident memory of a process, in MiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_mib(pid: u32) -> Result<f64, Failure> {
    let text = read(&format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| Failure::new("VmRSS is missing"))
}

/// The processor and how many of it there are.
pub fn description() -> String {
    let info = read("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("a processor", |name| name.trim_start_matches(['\t', ' ', ':']));
    let load = read("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} × {model}, load average {load} before the run")
}

fn read(path: &str) -> Result<String, Failure> {
    std::fs::read_to_string(Path::new(path)).map_err(|error| Failure::new(format!("{path}: {error}")))
}
