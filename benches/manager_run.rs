//! The manager run, from a commit to recorded changes, beside `terraform plan` on the same layout.
//!
//! Each manager run is a process of its own: this program again, which calls what `dayfly apply` calls
//! and is told to stop before it runs a stack. Where the time goes is read from the spans of that call.
//! Results are kept in `benches/README.md`.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it starts what it measures, and tells"
)]

#[path = "support/ground.rs"]
#[allow(dead_code, reason = "the writers ask it for more")]
mod ground;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/terraform.rs"]
mod terraform;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use dayfly::git::Remote;
use dayfly::manager::Manager;
use dayfly::reconcile::{Apply, Watch, apply};
use dayfly::runner::HostEnvironment;
use dayfly::store::Run;
use ground::{Ground, environment, file, text};
use serde::{Deserialize, Serialize};
use terraform::Terraform;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the manager run beside terraform's
#[derive(Parser)]
struct Options {
    /// How many environments stand
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    environments: Vec<usize>,

    /// Beside terraform at these sizes; at 1,000 that takes minutes
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000])]
    terraform: Vec<usize>,

    /// Without terraform
    #[arg(long)]
    no_terraform: bool,

    /// How often each is measured: the tables hold the medians
    #[arg(long, default_value_t = 11)]
    rounds: usize,

    /// One manager run of the repository REPOSITORY with the data directory DIRECTORY
    #[arg(long, hide = true, num_args = 2, value_names = ["REPOSITORY", "DIRECTORY"])]
    once: Option<Vec<PathBuf>>,

    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one manager run took.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Taken {
    changes: usize,
    problems: usize,
    /// In seconds, all of it.
    whole: f64,
    /// In seconds, by the name of the span.
    spans: BTreeMap<String, f64>,
    /// In bytes.
    peak_memory: u64,
}

/// What asks others, or is there for a process that lives alone: no part of the way from a commit to
/// recorded changes.
const BESIDE: [&str; 3] = ["fetch", "tips", "tool"];
/// What must grow with the number of environments.
const GROWS: [&str; 3] = ["tree", "stacks", "trigger"];

impl Taken {
    fn sum(&self, names: &[&str]) -> f64 {
        names.iter().filter_map(|name| self.spans.get(*name)).sum()
    }

    /// All that grows with the number of environments.
    fn growing(&self) -> f64 {
        self.sum(&GROWS)
    }

    /// From a commit that is there to recorded changes.
    fn recorded(&self) -> f64 {
        self.whole - self.sum(&BESIDE)
    }

    /// The same without what grows.
    fn touched(&self) -> f64 {
        self.recorded() - self.growing()
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some([repository, directory]) = options.once.as_deref() {
        println!("{}", serde_json::to_string(&once(repository, directory)?)?);
        return Ok(());
    }
    println!("{} cores", std::thread::available_parallelism()?);
    let mut cold_rows = Vec::new();
    let mut changed_rows = Vec::new();
    for &size in &options.environments {
        let ground = laid_out(size)?;
        let main = ground.git(&["-C", text(&ground.bare()), "show", "main:main.tf"])?;
        let attachment = main
            .split("\n\n")
            .find(|block| block.contains("\"spacelift_policy_attachment\" \"trigger\""))
            .context("main.tf attaches the trigger policy")?;
        ground.commit(&[("main.tf".to_owned(), main.replace(attachment, ""))])?;
        let mut cold = Vec::new();
        for _ in 0..options.rounds.max(1) {
            forget(&ground)?;
            cold.push(run(&ground)?);
            let last = cold.last().context("one was measured")?;
            ensure!(
                last.problems == 0 && last.changes == expected(size),
                "all is recorded: {last:?}"
            );
        }
        cold.sort_by(|a, b| a.recorded().total_cmp(&b.recorded()));
        let cold = cold.swap_remove(cold.len() / 2);
        // What the policy is asked grows with the changes: it is measured with one, not with all.
        ground.commit(&[("main.tf".to_owned(), main.clone())])?;
        run(&ground)?;
        let mut changed = Vec::new();
        for round in 0..options.rounds {
            change(&ground, size / 2 + 1, round)?;
            changed.push(run(&ground)?);
            let last = changed.last().context("one was measured")?;
            ensure!(
                last.changes == 1 && last.problems == 0,
                "one value was changed: {last:?}"
            );
        }
        changed.sort_by(|a, b| a.touched().total_cmp(&b.touched()));
        let changed = changed.swap_remove(changed.len() / 2);
        let peer = match options.terraform.contains(&size) && !options.no_terraform {
            true => Some(beside(&ground, size)?),
            false => None,
        };
        cold_rows.push(cold_row(size, &cold));
        changed_rows.push(changed_row(size, &changed, peer));
    }
    println!("\n| all, cold | wall | peak memory | for each environment |");
    println!("|---|---|---|---|");
    println!("{}", cold_rows.join("\n"));
    println!(
        "\n| one of all changed | to recorded changes | what grows | for each environment | `terraform plan` | times | what grows included |"
    );
    println!("|---|---|---|---|---|---|---|");
    println!("{}", changed_rows.join("\n"));
    Ok(())
}

fn cold_row(size: usize, cold: &Taken) -> String {
    tell(cold);
    format!(
        "| {size} | {} | {} MB | {:.0} µs |",
        seconds(cold.recorded()),
        cold.peak_memory / 1_000_000,
        cold.recorded() * 1e6 / count(size)
    )
}

fn changed_row(size: usize, changed: &Taken, peer: Option<Duration>) -> String {
    tell(changed);
    let peer = match peer {
        Some(peer) => format!(
            "{} | {:.0} | {:.0} |",
            seconds(peer.as_secs_f64()),
            peer.as_secs_f64() / changed.touched(),
            peer.as_secs_f64() / changed.recorded()
        ),
        None => " | | |".to_owned(),
    };
    format!(
        "| {size} | {} | {} | {:.1} µs | {peer}",
        seconds(changed.touched()),
        seconds(changed.growing()),
        changed.growing() * 1e6 / count(size),
    )
}

/// Where the time went, before the tables.
fn tell(taken: &Taken) {
    let spans: Vec<String> = taken
        .spans
        .iter()
        .map(|(name, took)| format!("{name} {}", seconds(*took)))
        .collect();
    println!("{} changes: {}", taken.changes, spans.join(", "));
}

fn seconds(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of environments are small"
)]
fn count(size: usize) -> f64 {
    size as f64
}

/// The objects of so many previews and of what they share.
fn expected(size: usize) -> usize {
    8 * size + 11
}

/// A manager repository with so many environments, and the infra repository that their stacks run.
fn laid_out(size: usize) -> Result<Ground> {
    let ground = Ground::new(size)?;
    let infra = ground.path("acme/hello-infra.git");
    let work = ground.path("infra");
    ground.git(&["init", "-q", "--bare", "-b", "main", text(&infra)])?;
    ground.git(&["init", "-q", "-b", "main", text(&work)])?;
    let work = text(&work);
    ground.git(&["-C", work, "commit", "-q", "--allow-empty", "-m", "Begin"])?;
    ground.git(&["-C", work, "push", "-q", text(&infra), "main"])?;
    let settings = ground.git(&["-C", text(&ground.bare()), "show", "main:dayfly.hcl"])?;
    let here = ground.path("");
    let settings = settings.replace("https://github.com/", text(&here));
    ensure!(
        settings.contains(text(&here)),
        "dayfly.hcl has no clone_url"
    );
    ground.commit(&[("dayfly.hcl".to_owned(), settings)])?;
    Ok(ground)
}

/// Another version of the code in one environment.
fn change(ground: &Ground, number: usize, round: usize) -> Result<()> {
    let content = environment(&ground.first()?, number);
    let line = content
        .lines()
        .find(|line| line.contains("code_version"))
        .context("an environment has a code_version")?;
    let changed = format!("  code_version            = \"{:040x}\"", round + 2);
    ground.commit(&[(file(number), content.replace(line, &changed))])
}

/// As if nothing had ever been applied.
fn forget(ground: &Ground) -> Result<()> {
    let data = ground.path("data");
    if data.exists() {
        fs::remove_dir_all(data)?;
    }
    let bare = ground.bare();
    ground.git(&["-C", text(&bare), "update-ref", "-d", "refs/dayfly/owner"])?;
    Ok(())
}

/// A manager run as a process of its own.
fn run(ground: &Ground) -> Result<Taken> {
    let mut command = ground.command(std::env::current_exe()?);
    command
        .arg("--once")
        .arg(ground.bare())
        .arg(ground.path("data"));
    Ok(serde_json::from_str(&ground::output(&mut command)?)?)
}

fn beside(ground: &Ground, size: usize) -> Result<Duration> {
    let terraform = Terraform::lay_out(ground)?;
    terraform.apply()?;
    let path = terraform.directory().join(file(size / 2 + 1));
    let content = fs::read_to_string(&path)?;
    fs::write(
        &path,
        content.replace(
            "code_version            = \"",
            "code_version            = \"0",
        ),
    )?;
    terraform.plan()
}

struct Unwatched;

impl Watch for Unwatched {
    fn moved(&self, _: &Run) {}
}

fn once(repository: &Path, directory: &Path) -> Result<Taken> {
    let spans = spans::collect();
    let manager = Manager {
        remote: Remote::new(text(repository), None),
        branch: None,
        variables: Default::default(),
    };
    let (_sender, stop) = tokio::sync::watch::channel(true);
    let options = Apply {
        manager: &manager,
        data_directory: directory,
        parallelism: 1,
        allow_deletions: None,
        confirmed: None,
        takes_over: false,
        host: HostEnvironment(dayfly::config::host_environment()),
        tokens: dayfly::config::Tokens::default(),
        pull_requests: None,
        stop,
    };
    let began = Instant::now();
    let applied = apply(&options, &Unwatched, |_| {})?;
    let whole = began.elapsed().as_secs_f64();
    Ok(Taken {
        changes: applied.changes.len(),
        problems: applied.problems.len() + applied.unreachable.len(),
        whole,
        spans: spans.seconds(),
        peak_memory: peak_memory()?,
    })
}

/// The most that this process has had in memory, in bytes.
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(1024
        * kilobytes
            .context("the kernel tells the peak")?
            .trim()
            .parse::<u64>()?)
}
