//! The binary `postkahn`: the archive on one machine, and the tools that need none.

mod assemble;
mod cli;
mod client;
mod commands;
mod config;
mod deployed;
mod failure;
mod first_password;
mod password;
mod print;
mod remote;
mod server;
mod text;
mod worker;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{cli::Cli, commands::Outcome, config::Config, failure::Result};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return print::usage(&usage),
    };
    let json = cli.settings.json;
    print::ended(run(cli), json)
}

fn run(cli: Cli) -> Result<Outcome> {
    let config = Config::load(&cli.settings)?;
    print::log_to_stderr(&config, cli.command.is_serving())?;
    cli.command.run(&config)
}
