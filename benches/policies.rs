//! Decisions of policies in process, beside `opa` as a process for each and as one process for many.
//!
//! The trigger policy sees all stacks and two changes for each; the push policy one push. Results are
//! kept in `benches/README.md`.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it starts what it measures, and tells"
)]

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use dayfly::policy::input::{
    Action, Change, Commit, FinishedRun, Phase, PushInput, PushedCommit, QueueingStack, Run, Stack,
    TriggerInput,
};
use dayfly::policy::{Engine, Policy, PolicyType, judge_push, judge_trigger};
use serde::Serialize;
use serde_json::json;

const TRIGGER: &str = include_str!("../policies/manager/trigger.rego");
const PUSH: &str = include_str!("../policies/service/push.rego");
const SANITIZED: &str = include_str!("../policies/sanitized.rego");

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures decisions of policies in process, beside opa
#[derive(Parser)]
struct Options {
    /// How many stacks the trigger policy sees
    #[arg(long, default_values_t = [10, 100, 1_000])]
    stacks: Vec<usize>,

    /// For how long each is measured
    #[arg(long, default_value_t = 3)]
    seconds: u64,

    /// Cargo hands it to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let limit = Duration::from_secs(options.seconds);
    println!("| | in process | a second | `opa eval` | times | `opa exec` | times |");
    println!("|---|---|---|---|---|---|---|");
    for &stacks in &options.stacks {
        let policy = Policy::read("trigger", PolicyType::Trigger, Engine::RegoV1, TRIGGER)?;
        let input = trigger_input(stacks);
        let verdict = judge_trigger([&policy], &input);
        ensure!(
            verdict.stacks.len() == stacks,
            "{} of {stacks}",
            verdict.stacks.len()
        );
        let own = measured(limit, || drop(judge_trigger([&policy], &input)));
        let peers = Peers::new(TRIGGER, &policy, &input)?.measured(limit, stacks)?;
        tell(
            &format!("trigger, {stacks} stacks, {} changes", 2 * stacks),
            own,
            peers,
        );
    }
    let policy = Policy::read("push", PolicyType::GitPush, Engine::RegoV1, PUSH)?;
    let input = push_input();
    let own = measured(limit, || drop(judge_push([&policy], &input)));
    let peers = Peers::new(PUSH, &policy, &input)?.measured(limit, 0)?;
    tell("push, one push", own, peers);
    Ok(())
}

fn tell(name: &str, own: Duration, (eval, exec): (Duration, Duration)) {
    let times = |peer: Duration| peer.as_secs_f64() / own.as_secs_f64();
    println!(
        "| {name} | {} | {:.0} | {} | {:.0} | {} | {:.1} |",
        milliseconds(own),
        1.0 / own.as_secs_f64(),
        milliseconds(eval),
        times(eval),
        milliseconds(exec),
        times(exec),
    );
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1_000.0)
}

/// The median time of one call.
fn measured(limit: Duration, mut call: impl FnMut()) -> Duration {
    call();
    let started = Instant::now();
    let mut times = Vec::new();
    while started.elapsed() < limit || times.len() < 5 {
        let one = Instant::now();
        call();
        times.push(one.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

/// The same policy and input, for `opa`.
struct Peers {
    directory: tempfile::TempDir,
}

impl Peers {
    fn new(text: &str, policy: &Policy, input: &impl Serialize) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let rego = directory.path().join("rego");
        fs::create_dir(&rego)?;
        fs::write(rego.join("policy.rego"), text)?;
        fs::write(rego.join("prelude.rego"), policy.prelude())?;
        fs::write(rego.join("sanitized.rego"), SANITIZED)?;
        fs::write(
            directory.path().join("input.json"),
            serde_json::to_string(input)?,
        )?;
        Ok(Self { directory })
    }

    /// One decision as a process, and one of many in a process.
    fn measured(&self, limit: Duration, stacks: usize) -> Result<(Duration, Duration)> {
        let path = |name: &str| self.directory.path().join(name);
        let mut failure = None;
        let eval = measured(limit, || {
            let mut command = Command::new("opa");
            command
                .args(["eval", "--format", "raw", "--data"])
                .arg(path("rego"));
            command
                .arg("--input")
                .arg(path("input.json"))
                .arg("data.spacelift.result");
            failure = failure.take().or(run(&mut command).err());
        });
        // What starting costs is the difference between many inputs and one.
        let many = if stacks >= 1_000 { 20 } else { 200 };
        let exec = |inputs: usize| -> Result<Duration> {
            let directory = path(&format!("inputs{inputs}"));
            if !directory.exists() {
                fs::create_dir(&directory)?;
                for number in 0..inputs {
                    fs::copy(path("input.json"), directory.join(format!("{number}.json")))?;
                }
            }
            let mut command = Command::new("opa");
            command.args(["exec", "--decision", "spacelift/result", "--bundle"]);
            command.arg(path("rego")).arg(&directory);
            let started = Instant::now();
            run(&mut command)?;
            Ok(started.elapsed())
        };
        let whole = exec(many)?.saturating_sub(exec(1)?);
        if let Some(error) = failure {
            return Err(error);
        }
        Ok((eval, whole / u32::try_from(many - 1)?))
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .stdout(Stdio::null())
        .output()
        .context("opa cannot be started: benches/policies installs it")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn id(number: usize) -> String {
    format!("hello-service-{number:08x}")
}

fn stack(number: usize) -> Stack {
    Stack {
        id: id(number),
        name: format!("hello-service {number}"),
        branch: "main".to_owned(),
        repository: "hello-infra".to_owned(),
        labels: vec!["preview".to_owned(), "hello-service".to_owned()],
        ..Stack::default()
    }
}

fn trigger_input(stacks: usize) -> TriggerInput {
    let change = |number: usize| {
        let values = json!({"stack_id": id(number / 2), "name": "TF_VAR_x", "value": "y"});
        Change::resource(
            Phase::Apply,
            Action::ReplacedAfterDestroy,
            &format!("module.a.spacelift_environment_variable.v{number}"),
            "spacelift_environment_variable",
            &format!("v{number}"),
            values.as_object().unwrap_or(&serde_json::Map::new()),
        )
    };
    TriggerInput {
        run: FinishedRun {
            run: Run {
                state: "FINISHED".to_owned(),
                kind: "TRACKED".to_owned(),
                changes: (0..2 * stacks).map(change).collect(),
                ..Run::default()
            },
            states_history: Vec::new(),
        },
        stack: Stack {
            id: "previews".to_owned(),
            ..Stack::default()
        },
        stacks: (0..stacks)
            .map(|number| QueueingStack {
                stack: stack(number),
                queued_runs: 0,
            })
            .collect(),
        ..TriggerInput::default()
    }
}

fn push_input() -> PushInput {
    PushInput {
        push: PushedCommit {
            affected_files: vec!["main.tf".to_owned(), "README.md".to_owned()],
            commit: Commit {
                branch: "main".to_owned(),
                ..Commit::default()
            },
        },
        stack: stack(1),
        ..PushInput::default()
    }
}
