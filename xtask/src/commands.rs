//! Running other programs, and the one error of this tool.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a command or a step did not succeed, in words for the person who started it.
#[derive(Debug)]
pub struct Failure(pub String);

/// What steps return.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The root of the repository: the folder above this package.
pub fn root() -> Outcome<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map(Path::to_path_buf).ok_or_else(|| Failure::new(format!("{} has no parent folder", manifest.display())))
}

/// A `cargo` command in `root`, by the same cargo that runs this tool.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).stdin(Stdio::null());
    command
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let mut words = vec![Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs to the end with its output shown; anything but success is a failure that names the command.
pub fn run(command: &mut Command) -> Outcome {
    let shown = shown(command);
    println!("$ {shown}");
    let status = command.status().map_err(|error| Failure::new(format!("`{shown}` did not start: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{shown}` failed ({status})"))) }
}

/// Runs to the end and gives what it printed; its errors are shown.
pub fn output(command: &mut Command) -> Outcome<Vec<u8>> {
    let shown = shown(command);
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| Failure::new(format!("`{shown}` did not start: {error}")))?;
    if output.status.success() { Ok(output.stdout) } else { Err(Failure::new(format!("`{shown}` failed ({})", output.status))) }
}

/// Runs to the end and gives what it printed as text; `None` where it does not start or fails. For asking what is installed.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads a text file of the tree.
pub fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}
