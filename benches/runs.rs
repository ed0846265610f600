//! Runs beside the shell: many environments opened at once, changed at once and closed at once, with
//! the real tool; and what a long past costs.
//!
//! The peer is `xargs -P` over the same steps of the tool in directories that were prepared before the
//! clock started; dayfly fetches, records, judges and checks out within its time. Results are kept in
//! `benches/README.md`.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it starts what it measures, and tells"
)]

#[path = "../tests/stories/support/git_server.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "it is a part of the tests, which ask it for more"
)]
mod git_server;
#[path = "support/ground.rs"]
#[allow(dead_code, reason = "the writers ask it for more")]
mod ground;
#[path = "support/history.rs"]
mod history;
#[path = "support/spans.rs"]
mod spans;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use git_server::GitServer;
use ground::{Ground, environment, file, output, text};
use serde_json::Value;

/// What each environment is made of: values that the tool keeps itself, in three steps.
const MODULE: &str = r#"
variable "environment" {}
variable "code_version" {}

resource "terraform_data" "network" { input = var.environment }
resource "terraform_data" "service" { input = "${terraform_data.network.output} ${var.code_version}" }
resource "terraform_data" "record"  { input = terraform_data.service.output }

output "record" { value = terraform_data.record.output }
"#;
/// The steps of a run, as dayfly takes them; `$1` is the commit of the service.
const STEPS: &str = "terraform init -input=false && terraform plan -input=false -out=plan && \
                     terraform show -json plan && terraform apply -input=false plan";
const DESTROY: &str = "terraform destroy -input=false -auto-approve";
const BARE: &str = "terraform init -input=false && terraform apply -input=false -auto-approve";

/// Measures runs of many stacks beside shell loops
#[derive(Parser)]
struct Options {
    /// How many environments are opened at once
    #[arg(long, default_value_t = 40)]
    environments: usize,

    /// How often all is measured, each in turn
    #[arg(long, default_value_t = 3)]
    rounds: usize,

    /// Without the two peers that are only printed beside
    #[arg(long)]
    no_beside: bool,

    /// How many environments stand in the data directory whose past is long; 0 leaves that out
    #[arg(long, default_value_t = 10_000)]
    history: usize,

    /// How often status and one run are measured there
    #[arg(long, default_value_t = 9)]
    history_rounds: usize,

    /// One apply of the repository REPOSITORY with the data directory DIRECTORY
    #[arg(long, hide = true, num_args = 2, value_names = ["REPOSITORY", "DIRECTORY"])]
    once: Option<Vec<PathBuf>>,

    /// The same without its runs
    #[arg(long, hide = true, num_args = 2, value_names = ["REPOSITORY", "DIRECTORY"])]
    record: Option<Vec<PathBuf>>,

    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Wall times of the three phases: opened, changed by a second commit, closed.
type Phases = [Duration; 3];

fn main() -> Result<()> {
    let options = Options::parse();
    for (asked, is_stopped) in [(&options.once, false), (&options.record, true)] {
        if let Some([repository, directory]) = asked.as_deref() {
            return history::once(repository, directory, is_stopped);
        }
    }
    let cores = thread::available_parallelism()?.get();
    let version = output(Command::new("terraform").arg("version"))?;
    println!(
        "{cores} cores, {}, {} environments",
        version.lines().next().unwrap_or_default(),
        options.environments
    );
    if options.rounds > 0 {
        beside(&options, cores)?;
    }
    if options.history > 0 {
        history::measure(options.history, options.history_rounds)?;
    }
    Ok(())
}

/// dayfly and its peers, each in turn.
fn beside(options: &Options, cores: usize) -> Result<()> {
    let (mut ours, mut steps, mut bare, mut one) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut memory = 0;
    for _ in 0..options.rounds {
        let (phases, peak) = dayfly(options.environments)?;
        ours.push(phases);
        memory = memory.max(peak);
        steps.push(shell(options.environments, cores, STEPS)?);
        if !options.no_beside {
            bare.push(shell(options.environments, cores, BARE)?);
            one.push(one_module(options.environments)?);
        }
    }
    let peer = median(&steps);
    println!("\n| | opened | changed | closed |\n|---|---|---|---|");
    row("`dayfly apply`", median(&ours), peer);
    row("`xargs -P`, the same steps", peer, peer);
    if !options.no_beside {
        row("`xargs -P`, `init` and `apply`", median(&bare), peer);
        row("one module that holds all", median(&one), peer);
    }
    println!(
        "\npeak memory of dayfly itself: {:.0} MB",
        memory as f64 / 1e3
    );
    Ok(())
}

fn row(name: &str, phases: Phases, peer: Phases) {
    print!("| {name} |");
    for (phase, peer) in phases.iter().zip(peer) {
        let times = phase.as_secs_f64() / peer.as_secs_f64();
        print!(" {:.1} s, {times:.2} |", phase.as_secs_f64());
    }
    println!();
}

/// Of each phase the median by itself.
fn median(rounds: &[Phases]) -> Phases {
    [0, 1, 2].map(|phase| {
        let mut all: Vec<Duration> = rounds.iter().map(|round| round[phase]).collect();
        all.sort();
        all[all.len() / 2]
    })
}

fn commit(number: usize) -> String {
    format!("{number:040x}")
}

/// Three applies of dayfly over smart HTTP, and the most memory that it took, in kilobytes. One
/// environment and the common stack stand already.
fn dayfly(environments: usize) -> Result<(Phases, u64)> {
    let ground = Ground::new(1)?;
    let server = GitServer::start(&ground.path("served"), None);
    lay_out_infra(&ground, &server.url(""))?;
    let mut memory = 0;
    let mut apply = |allowed: usize| -> Result<Value> {
        let mut command = ground.command(env!("CARGO_BIN_EXE_dayfly"));
        command
            .args(["apply", "--output", "json", "--manager"])
            .arg(server.url("manager.git"))
            .args(["--allow-deletions", &allowed.to_string(), "--data-dir"])
            .arg(ground.path("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(ground.path("progress"))?);
        let (told, peak) = watched(command.spawn()?)?;
        memory = memory.max(peak);
        serde_json::from_str(&told)
            .with_context(|| fs::read_to_string(ground.path("progress")).unwrap_or_default())
    };
    expect(&apply(0)?, 2)?;

    let first = ground.first()?;
    let numbers = 2..environments + 2;
    let opened: Vec<_> = numbers
        .clone()
        .map(|number| (file(number), environment(&first, number)))
        .collect();
    let changed: Vec<_> = opened
        .iter()
        .map(|(name, content)| (name.clone(), content.replace(&commit(1), &commit(2))))
        .collect();
    let mut phases = [Duration::ZERO; 3];
    for (index, files) in [opened, changed].iter().enumerate() {
        ground.commit(files)?;
        let began = Instant::now();
        expect(&apply(0)?, environments)?;
        phases[index] = began.elapsed();
    }
    ground.remove(&numbers.map(file).collect::<Vec<_>>())?;
    let began = Instant::now();
    expect(&apply(environments)?, environments)?;
    phases[2] = began.elapsed();
    Ok((phases, memory))
}

/// That so many runs were made, and all ended well.
fn expect(applied: &Value, runs: usize) -> Result<()> {
    let all = applied["runs"].as_array().context("runs are told")?;
    let finished = all.iter().filter(|run| run["state"] == "FINISHED").count();
    ensure!(
        all.len() == runs && finished == runs,
        "{finished} of {} runs finished, not {runs}: {applied}",
        all.len()
    );
    Ok(())
}

/// What a process prints, and the most memory that it had itself, in kilobytes.
fn watched(mut child: Child) -> Result<(String, u64)> {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut stdout = child.stdout.take().context("stdout is piped")?;
    let told = thread::spawn(move || std::io::read_to_string(&mut stdout));
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(high.unwrap_or(0));
        thread::sleep(Duration::from_millis(10));
    }
    let told = told.join().ok().context("the reader ended")??;
    Ok((told, peak))
}

/// The infrastructure's repository, and where the manager repository finds it.
fn lay_out_infra(ground: &Ground, host: &str) -> Result<()> {
    let work = ground.path("infra");
    fs::create_dir_all(work.join("common"))?;
    fs::write(work.join("main.tf"), MODULE)?;
    fs::write(work.join("common/main.tf"), "")?;
    let bare = ground.path("served/acme/hello-infra.git");
    ground.git(&["init", "-q", "--bare", "-b", "main", text(&bare)])?;
    ground.git(&["init", "-q", "-b", "main", text(&work)])?;
    ground.git(&["-C", text(&work), "add", "."])?;
    ground.git(&["-C", text(&work), "commit", "-qm", "A module"])?;
    ground.git(&["-C", text(&work), "push", "-q", text(&bare), "HEAD:main"])?;
    let name = "dayfly.hcl";
    let settings = ground.git(&["-C", text(&ground.bare()), "show", &format!("main:{name}")])?;
    let here = settings.replace("https://github.com/", host);
    ensure!(here != settings, "the settings name no server");
    ground.commit(&[(name.to_owned(), here)])
}

/// The same steps in so many prepared directories, as many at once as there are cores.
fn shell(environments: usize, cores: usize, steps: &str) -> Result<Phases> {
    let directory = tempfile::tempdir()?;
    for number in 0..environments {
        let module = directory.path().join(number.to_string());
        fs::create_dir_all(&module)?;
        fs::write(module.join("main.tf"), MODULE)?;
    }
    let all = |script: &str, commit: String| -> Result<Duration> {
        let began = Instant::now();
        let names = format!("seq 0 {}", environments - 1);
        let each = format!("cd $1 && export TF_VAR_environment=$1 && {{ {script}; }} >/dev/null");
        output(
            quiet(&directory)
                .args([
                    "-c",
                    &format!("{names} | xargs -P {cores} -I N sh -c '{each}' each N"),
                ])
                .env("TF_VAR_code_version", commit),
        )?;
        Ok(began.elapsed())
    };
    Ok([
        all(steps, commit(1))?,
        all(steps, commit(2))?,
        all(DESTROY, commit(2))?,
    ])
}

/// One root module that calls the module for each environment.
fn one_module(environments: usize) -> Result<Phases> {
    let directory = tempfile::tempdir()?;
    let module = directory.path().join("module");
    fs::create_dir_all(&module)?;
    fs::write(module.join("main.tf"), MODULE)?;
    let mut root = String::from("variable \"code_version\" {}\n");
    for number in 0..environments {
        write!(
            root,
            "module \"environment_{number}\" {{\n  source = \"./module\"\n  environment = \"{number}\"\n  code_version = var.code_version\n}}\n"
        )?;
    }
    fs::write(directory.path().join("main.tf"), root)?;
    let all = |script: &str, commit: String| -> Result<Duration> {
        let began = Instant::now();
        output(
            quiet(&directory)
                .args(["-c", script])
                .env("TF_VAR_code_version", commit),
        )?;
        Ok(began.elapsed())
    };
    Ok([
        all(BARE, commit(1))?,
        all(BARE, commit(2))?,
        all(DESTROY, commit(2))?,
    ])
}

fn quiet(directory: &tempfile::TempDir) -> Command {
    let mut command = Command::new("sh");
    command
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory.path())
        .env("CHECKPOINT_DISABLE", "1");
    command
}
