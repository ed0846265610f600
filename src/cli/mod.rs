//! The command line: one file per command, its doc comments are the help.
//!
//! Rooms return values; only `output.rs` writes to the terminal, and only here an error becomes an
//! exit code.

mod actions;
mod apply;
mod arguments;
mod built;
mod changes;
mod count;
mod demo;
mod env;
mod escape;
mod event;
mod explain;
mod init;
mod interruption;
mod lifetime;
mod logs;
mod manual;
mod output;
mod plan;
mod policy;
mod problems;
mod progress;
mod propose;
mod report;
mod resource;
mod rollback;
mod runs;
mod service;
mod stack;
mod state;
mod status;
mod sweep;
mod table;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;
use output::{Format, Output};

/// Preview environments for infrastructure, driven by Git
///
/// Every pull request gets an environment file in a central manager repository; every file becomes
/// stacks that are planned, applied and, when the pull request closes, destroyed. Spacelift can run
/// the manager repository, or dayfly itself.
#[derive(Parser)]
#[command(name = "dayfly", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// How to print what a command tells
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    #[command(subcommand)]
    Service(service::Command),
    #[command(subcommand)]
    Env(env::Command),
    Event(event::Args),
    Sweep(sweep::Args),
    Validate(validate::Args),
    Plan(plan::Args),
    Apply(apply::Args),
    Status(status::Args),
    #[command(visible_alias = "run")]
    Runs(runs::Args),
    Logs(logs::Args),
    #[command(subcommand)]
    Stack(stack::Command),
    #[command(subcommand)]
    State(state::Command),
    #[command(flatten)]
    Short(Short),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(hide = true)]
    Manual(manual::Args),
}

/// What people type most, without its first word.
#[derive(Subcommand)]
enum Short {
    #[command(hide = true)]
    Confirm(runs::tell::Args),
    #[command(hide = true)]
    Discard(runs::tell::Args),
    #[command(hide = true)]
    Cancel(runs::tell::Args),
    #[command(hide = true)]
    Stop(runs::tell::Args),
    #[command(hide = true)]
    Retry(runs::tell::Args),
    #[command(hide = true)]
    Lock(stack::lock::Args),
    #[command(hide = true)]
    Unlock(stack::StackArgs),
}

impl Short {
    fn run(self, output: &Output) -> Ended {
        use crate::run::Command as Told;
        match self {
            Self::Confirm(args) => runs::tell::run(Told::Confirm, &args, output),
            Self::Discard(args) => runs::tell::run(Told::Discard, &args, output),
            Self::Cancel(args) => runs::tell::run(Told::Cancel, &args, output),
            Self::Stop(args) => runs::tell::run(Told::Stop, &args, output),
            Self::Retry(args) => runs::tell::run(Told::Retry, &args, output),
            Self::Lock(args) => stack::lock::run(&args, output),
            Self::Unlock(args) => stack::lock::release(&args, output),
        }
    }
}

/// How a command ended that did not fail: 0, or the code that it is to end with.
type Ended = Result<u8, Error>;

const DONE: u8 = 0;
const FAILED: u8 = crate::error::Kind::Failed as u8;

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    trace();
    if let Err(error) = arguments::refuse_control_characters(std::env::args_os()) {
        let error = Error::from(error);
        Output::new(Format::Text).error(&error);
        return ExitCode::from(error.kind as u8);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            Output::new(Format::Text).parser(&error);
            return ExitCode::from(plan::code_of_parser(error.exit_code()));
        }
    };
    let output = Output::new(arguments.output);
    if output.is_junit() && !matches!(arguments.command, Command::Policy(policy::Command::Test(_)))
    {
        let error = Error::from(arguments::NoTests);
        output.error(&error);
        return ExitCode::from(error.kind as u8);
    }
    let ended = match arguments.command {
        Command::Demo(args) => demo::run(args, &output),
        Command::Init(args) => init::run(args, &output),
        Command::Service(command) => service::run(command, &output),
        Command::Env(command) => env::run(command, &output),
        Command::Event(args) => event::run(args, &output),
        Command::Sweep(args) => sweep::run(args, &output),
        Command::Validate(args) => validate::run(args, &output),
        Command::Plan(args) => plan::run(args, &output),
        Command::Apply(args) => apply::run(args, &output),
        Command::Status(args) => status::run(args, &output),
        Command::Runs(args) => runs::run(args, &output),
        Command::Logs(args) => logs::run(args, &output),
        Command::Stack(command) => stack::run(command, &output),
        Command::State(command) => state::run(command, &output),
        Command::Short(command) => command.run(&output),
        Command::Policy(command) => policy::run(command, &output),
        Command::Manual(args) => manual::run(&args),
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.kind as u8)
        }
    }
}

/// `DAYFLY_LOG=debug` tells what happens inside, on stderr.
fn trace() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::builder()
        .with_env_var("DAYFLY_LOG")
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
}
