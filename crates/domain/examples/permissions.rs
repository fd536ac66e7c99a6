//! Prints `docs/permissions.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(stoa_domain::permissions::markdown().as_bytes())
}
