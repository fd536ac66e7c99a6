//! Licences, sources and banned crates of all dependencies, after `deny.toml`, from cargo's own metadata and without the network.

mod expression;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;

use crate::commands::{Failure, Outcome, answer, cargo, output, run as run_command};

/// The part of `deny.toml` that is read here; cargo-deny reads the rest too.
#[derive(Debug, Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    deny_multiple_versions: bool,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// What `cargo metadata` says.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

/// Checks every dependency that is really built on the targets we serve.
pub(super) fn check(root: &Path) -> Outcome {
    let rules: Rules =
        Figment::from(Toml::file_exact(root.join("deny.toml"))).extract().map_err(|error| Failure::new(format!("deny.toml: {error}")))?;
    let packages = dependencies(root, &rules.graph.targets)?;
    let mut found: Vec<String> = packages.iter().flat_map(|package| refused(package, &rules)).collect();
    let versions = versions(&packages);
    for ban in rules.bans.deny.iter().filter(|ban| ban.deny_multiple_versions) {
        let several = versions.get(ban.name.as_str()).filter(|versions| versions.len() > 1);
        found.extend(several.map(|versions| format!("{} in versions {}: {}", ban.name, versions.join(" and "), ban.reason)));
    }
    if !found.is_empty() {
        found.sort();
        return Err(Failure::new(found.join("\n")));
    }
    let twice = versions.values().filter(|versions| versions.len() > 1).count();
    println!("{} crates: licences, sources and bans in order; {twice} names stand in more than one version", packages.len());
    advisories(root)
}

/// All packages but our own that are built for one of the targets.
fn dependencies(root: &Path, targets: &[String]) -> Outcome<Vec<Package>> {
    let mut ask = cargo(root);
    ask.args(["metadata", "--format-version", "1", "--locked"]);
    for target in targets {
        ask.args(["--filter-platform", target]);
    }
    let metadata: Metadata =
        serde_json::from_slice(&output(&mut ask)?).map_err(|error| Failure::new(format!("cargo metadata: {error}")))?;
    let built = built(root, targets)?;
    let foreign = |package: &Package| {
        !metadata.workspace_members.contains(&package.id) && built.contains(&(package.name.clone(), package.version.clone()))
    };
    Ok(metadata.packages.into_iter().filter(foreign).collect())
}

/// Names and versions of what is built. The metadata also holds optional packages that no feature asks for; the tree does not.
fn built(root: &Path, targets: &[String]) -> Outcome<BTreeSet<(String, String)>> {
    let mut ask = cargo(root);
    ask.args(["tree", "--workspace", "--locked", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}"]);
    for target in targets {
        ask.args(["--target", target]);
    }
    let text = String::from_utf8_lossy(&output(&mut ask)?).into_owned();
    let named = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    };
    Ok(text.lines().filter_map(named).collect())
}

fn versions(packages: &[Package]) -> BTreeMap<&str, Vec<&str>> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions
}

/// What the rules have against this package.
fn refused(package: &Package, rules: &Rules) -> Vec<String> {
    let who = format!("{} {}", package.name, package.version);
    let mut found = Vec::new();
    let ban = rules.bans.deny.iter().find(|ban| ban.name == package.name && !ban.deny_multiple_versions);
    found.extend(ban.map(|ban| format!("{who} is banned: {} (who brings it: cargo tree -i {})", ban.reason, package.name)));
    let registry = package.source.as_deref().and_then(|source| source.strip_prefix("registry+"));
    if !registry.is_some_and(|registry| rules.sources.allow_registry.iter().any(|allowed| allowed == registry)) {
        found.push(format!("{who} comes from {}", package.source.as_deref().unwrap_or("a path outside the workspace")));
    }
    match &package.license {
        None => found.push(format!("{who} names no licence")),
        Some(text) => match expression::allowed(text, &rules.licenses.allow) {
            Ok(true) => {}
            Ok(false) => found.push(format!("{who}: the licence {text} is not among those allowed")),
            Err(why) => found.push(format!("{who}: the licence {text} cannot be read: {why}")),
        },
    }
    found
}

/// Known vulnerabilities, where cargo-deny and its database are at hand: both come from outside, so neither is taken for granted.
fn advisories(root: &Path) -> Outcome {
    if answer(cargo(root).args(["deny", "--version"])).is_none() {
        println!("advisories not checked: cargo-deny is not installed");
        return Ok(());
    }
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let database = ["advisory-dbs", "advisory-db"].iter().any(|folder| {
        let entries = home.as_ref().and_then(|home| std::fs::read_dir(home.join(folder)).ok());
        entries.is_some_and(|mut entries| entries.next().is_some())
    });
    if !database {
        println!("advisories not checked: cargo-deny has no database yet (`cargo deny fetch` brings it)");
        return Ok(());
    }
    run_command(cargo(root).args(["deny", "--offline", "check", "advisories"]))
}
