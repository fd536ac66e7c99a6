//! The program `stoa`: a marketplace of services in one binary.

mod commands;
mod config;
mod logging;
mod sample;
mod system;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Stoa;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Stoa::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("stoa: {error}");
            ExitCode::FAILURE
        }
    }
}
