//! The generated files of the tree: each is what one of our own programs prints.

use std::path::Path;
use std::process::Command;

use crate::commands::{Failure, Outcome, cargo, output, read, run};

/// A generated file and the program under the target folder that prints it.
struct Generated {
    path: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

/// All generated files. A new one is a new line here.
const FILES: [Generated; 3] = [
    Generated { path: "docs/permissions.md", program: "examples/permissions", arguments: &[] },
    Generated { path: "docs/openapi.json", program: "stoa", arguments: &["openapi"] },
    Generated { path: "docs/configuration.md", program: "stoa", arguments: &["configuration", "--reference"] },
];

/// Builds everything of the workspace once, with the features the tests use, so that nothing is built twice.
pub fn build(root: &Path) -> Outcome {
    run(cargo(root).args(["build", "--workspace", "--all-targets", "--locked"]))
}

/// Where cargo puts the programs.
pub fn programs(root: &Path) -> std::path::PathBuf {
    target(root).join("debug")
}

/// Where cargo puts the programs of a profile that is called like its folder.
pub fn programs_of(root: &Path, profile: &str) -> std::path::PathBuf {
    target(root).join(profile)
}

fn target(root: &Path) -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

/// Writes each file anew.
pub fn write(root: &Path) -> Outcome {
    build(root)?;
    for file in FILES {
        let path = root.join(file.path);
        let text = produced(root, &file)?;
        if read(&path).is_ok_and(|committed| committed == text) {
            println!("{} is as it was", file.path);
            continue;
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
        }
        std::fs::write(&path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        println!("{} written", file.path);
    }
    Ok(())
}

/// Compares each file with what its program prints, and shows the differences.
pub fn compare(root: &Path) -> Outcome {
    let folder = programs(root).join("generated");
    let mut stale = Vec::new();
    for file in FILES {
        let text = produced(root, &file)?;
        if read(&root.join(file.path)).is_ok_and(|committed| committed == text) {
            println!("{} is up to date", file.path);
            continue;
        }
        let fresh = folder.join(file.path);
        fresh
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&fresh, text))
            .map_err(|error| Failure::new(format!("{}: {error}", fresh.display())))?;
        let committed = if root.join(file.path).exists() { root.join(file.path) } else { "/dev/null".into() };
        Command::new("diff")
            .args(["-u", "--label", "committed", "--label", "generated"])
            .args([&committed, &fresh])
            .status()
            .map_err(|error| Failure::new(format!("diff did not start: {error}")))?;
        stale.push(file.path);
    }
    if stale.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("{} differs from what is generated; run `cargo xtask generate` and commit", stale.join(", "))))
    }
}

fn produced(root: &Path, file: &Generated) -> Outcome<String> {
    let bytes = output(Command::new(programs(root).join(file.program)).args(file.arguments).current_dir(root))?;
    let text = String::from_utf8(bytes).map_err(|error| Failure::new(format!("{}: {error}", file.path)))?;
    if text.trim().is_empty() { Err(Failure::new(format!("{} printed nothing for {}", file.program, file.path))) } else { Ok(text) }
}
