//! The one binary of the suite: `serve` runs one service, `up` all of them with a private Postgres, the rest are an operator's tools.
//!
//! `main` reads the command line and hands over; each command is a module of its own.

mod audit;
mod checkpoints;
mod cli;
mod config;
mod demo;
mod demo_command;
mod healthcheck;
mod keys;
mod materials;
mod migrate;
mod private_stack;
mod serve;
mod serve_command;
mod token;
mod up;
mod version;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};

/// What a command ends with.
type CommandResult = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    shouwen_runtime::tls::install_crypto();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("shouwen: cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Up(options) => up::run(options).await,
            Command::Serve(options) => serve_command::run(options).await,
            Command::Migrate(options) => migrate::run(options).await,
            Command::Token(options) => token::run(options).await,
            Command::Audit(options) => audit::run(options).await,
            Command::Healthcheck(options) => healthcheck::run(&options).await,
            Command::Demo(options) => demo_command::run(options).await,
        }
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("shouwen: {error}");
            ExitCode::from(2)
        }
    }
}
