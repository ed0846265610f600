//! The writer beside its peers, over smart HTTP on the loopback: many writers at once against the
//! usual shell loop, and one write against the floor and against a partial clone.
//!
//! Everything runs as a user would run it: `dayfly` and `git` as processes, a server that is
//! `git http-backend`. Results are kept in `benches/README.md`.

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
#[allow(dead_code, reason = "the runs ask it for more")]
mod ground;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use git_server::{Counts, GitServer};
use ground::{DIRECTORY, Ground, file, output, text};

/// Measures the writer beside its peers
#[derive(Parser)]
struct Options {
    /// How many write at once
    #[arg(long, default_value_t = 100)]
    writers: usize,

    /// Environments that stand while many write
    #[arg(long, default_value_t = 1_000)]
    environments: usize,

    /// Environments that stand while one writes
    #[arg(long, default_value_t = 10_000)]
    alone: usize,

    /// How often one write is measured
    #[arg(long, default_value_t = 15)]
    rounds: usize,

    /// Only this part
    #[arg(long, value_parser = ["together", "alone"])]
    only: Option<String>,

    /// Leaves the shell loop out, which takes minutes
    #[arg(long)]
    no_shell: bool,

    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    println!("{}", machine()?);
    if options.only.as_deref() != Some("alone") {
        together(&options)?;
    }
    if options.only.as_deref() != Some("together") {
        alone(&options)?;
    }
    Ok(())
}

fn machine() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let version = Command::new("git").arg("--version").output()?;
    let version = String::from_utf8(version.stdout)?;
    Ok(format!("{cores} cores, {}", version.trim()))
}

/// The ground, served over HTTP.
struct Served {
    ground: Ground,
    server: GitServer,
}

impl Served {
    /// A manager repository with so many environments.
    fn new(environments: usize) -> Result<Self> {
        let ground = Ground::new(environments)?;
        for setting in ["http.receivepack", "uploadpack.allowFilter"] {
            ground.git(&["-C", text(&ground.bare()), "config", setting, "true"])?;
        }
        let server = GitServer::start(&ground.path("served"), None);
        Ok(Self { ground, server })
    }

    fn url(&self) -> String {
        self.server.url("manager.git")
    }

    fn upsert(&self, number: usize) -> Command {
        self.upsert_at(number, 0)
    }

    /// The pull request as it is that many minutes after it was opened, at another commit.
    fn upsert_at(&self, number: usize, minute: usize) -> Command {
        let mut command = self.ground.upsert(number, minute);
        command.args(["--manager", &self.url(), "--timeout", "10m"]);
        command
    }

    fn shell(&self, script: &str, number: usize) -> Command {
        let first = self.ground.path("first.tf");
        let mut command = self.ground.command("bash");
        command
            .args(["-euc", script, "writer"])
            .arg(self.url())
            .arg(self.ground.path(&format!("clone-{number}")))
            .arg(file(number))
            .arg(first);
        command
    }

    /// The file that shell writers copy.
    fn lay_out_first(&self) -> Result<()> {
        Ok(fs::write(
            self.ground.path("first.tf"),
            self.ground.first()?,
        )?)
    }

    /// Which environments stand on the branch, and that nothing else came to be.
    fn check(&self, numbers: impl Iterator<Item = usize>, commits_each: usize) -> Result<()> {
        let bare = self.ground.bare();
        let bare = text(&bare);
        let files = self.ground.git(&[
            "-C",
            bare,
            "ls-tree",
            "--name-only",
            "main",
            &format!("{DIRECTORY}/"),
        ])?;
        for number in numbers {
            let name = file(number);
            ensure!(files.lines().any(|line| line == name), "{name} is missing");
            let commits = self
                .ground
                .git(&["-C", bare, "rev-list", "--count", "main", "--", &name])?;
            ensure!(
                commits.trim() == commits_each.to_string(),
                "{name} has {} commits",
                commits.trim()
            );
        }
        let merges = self
            .ground
            .git(&["-C", bare, "rev-list", "--count", "--merges", "main"])?;
        ensure!(merges.trim() == "0", "the history is not linear");
        let left = self
            .ground
            .git(&["-C", bare, "for-each-ref", "--format=%(refname)"])?;
        let mut left = left.lines().filter(|name| *name != "refs/dayfly/gate");
        ensure!(
            left.by_ref().eq(["refs/heads/main"]),
            "something was left behind"
        );
        self.ground.git(&["-C", bare, "fsck", "--no-progress"])?;
        Ok(())
    }
}

/// A process that is measured; what it says is looked at when it fails.
struct Running(Child);

trait Spawn {
    fn spawned(self) -> Result<Running>;
}

impl Spawn for Command {
    fn spawned(mut self) -> Result<Running> {
        let command = self.stdin(Stdio::null());
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(Running(command.spawn()?))
    }
}

impl Running {
    fn done(self) -> Result<()> {
        let output = self.0.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{}: {said}", output.status);
        Ok(())
    }
}

/// All at once; the wall time, and what the server saw.
fn race(served: &Served, writers: Vec<Command>) -> Result<(Duration, Counts)> {
    let (before, began) = (served.server.counts(), Instant::now());
    let running: Vec<Running> = writers
        .into_iter()
        .map(Spawn::spawned)
        .collect::<Result<_>>()?;
    for writer in running {
        writer.done()?;
    }
    Ok((began.elapsed(), since(served, before)))
}

fn since(served: &Served, before: Counts) -> Counts {
    let now = served.server.counts();
    Counts {
        requests: now.requests - before.requests,
        fetches: now.fetches - before.fetches,
        pushes: now.pushes - before.pushes,
        branch_pushes: now.branch_pushes - before.branch_pushes,
        bytes_received: now.bytes_received - before.bytes_received,
        bytes_sent: now.bytes_sent - before.bytes_sent,
    }
}

/// The loop that every team writes first.
const PULL_REBASE_PUSH: &str = r#"
git clone -q --depth 1 "$1" "$2"
cd "$2"
mkdir -p "$(dirname "$3")"
cp "$4" "$3"
git add "$3"
git commit -q -m "add $3"
until git push -q origin HEAD:main 2>/dev/null; do git pull -q --rebase origin main; done
"#;

fn together(options: &Options) -> Result<()> {
    let numbers = || (0..options.writers).map(|writer| 1_000_000 + writer);
    println!(
        "\n{} writers at once, {} environments",
        options.writers, options.environments
    );
    println!(
        "{:<28}{:>9}{:>16}{:>12}",
        "", "wall", "branch pushes", "requests"
    );
    let row = |name: &str, (wall, counts): (Duration, Counts)| {
        println!(
            "{name:<28}{:>7.2} s{:>16}{:>12}",
            wall.as_secs_f64(),
            counts.branch_pushes,
            counts.requests
        );
    };
    let served = Served::new(options.environments)?;
    let own = race(&served, numbers().map(|n| served.upsert(n)).collect())?;
    served.check(numbers(), 1)?;
    row("dayfly env upsert, new", own);
    let again = numbers()
        .map(|number| served.upsert_at(number, 1))
        .collect();
    let again = race(&served, again)?;
    served.check(numbers(), 2)?;
    row("dayfly env upsert, standing", again);
    if options.no_shell {
        return Ok(());
    }
    let served = Served::new(options.environments)?;
    served.lay_out_first()?;
    let shell = race(
        &served,
        numbers()
            .map(|n| served.shell(PULL_REBASE_PUSH, n))
            .collect(),
    )?;
    served.check(numbers(), 1)?;
    row("git pull --rebase; git push", shell);
    let ratio = |own: Duration| shell.0.as_secs_f64() / own.as_secs_f64();
    println!(
        "the shell loop took {:.1} times as long as new ones, {:.1} times as long as standing ones",
        ratio(own.0),
        ratio(again.0)
    );
    Ok(())
}

/// A partial clone without a checkout, one file added with plumbing.
const BLOBLESS_CLONE: &str = r#"
git clone -q --depth 1 --filter=blob:none --no-checkout "$1" "$2"
cd "$2"
git read-tree HEAD
blob=$(git hash-object -w "$4")
git update-index --add --cacheinfo "100644,$blob,$3"
tree=$(git write-tree --missing-ok)
commit=$(git commit-tree -p HEAD -m "add $3" "$tree")
git push -q origin "$commit:refs/heads/main"
"#;

fn alone(options: &Options) -> Result<()> {
    let served = Served::new(options.alone)?;
    served.lay_out_first()?;
    println!(
        "\none write, {} environments, median of {}",
        options.alone, options.rounds
    );
    let (mut floor, mut own, mut again, mut clone) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.rounds {
        let number = 1_000_000 + 3 * round;
        floor.push(prebuilt(&served, number)?);
        own.push(race(&served, vec![served.upsert(number + 1)])?);
        clone.push(race(
            &served,
            vec![served.shell(BLOBLESS_CLONE, number + 2)],
        )?);
        served.check(number..number + 3, 1)?;
        again.push(race(&served, vec![served.upsert_at(number + 1, 1)])?);
        served.check(number + 1..number + 2, 2)?;
    }
    println!(
        "{:<28}{:>9}{:>8}{:>10}{:>12}{:>12}",
        "", "wall", "ratio", "requests", "sent", "received"
    );
    let least = median(&floor).0.as_secs_f64();
    for (name, results) in [
        ("floor: ls-remote, push", &floor),
        ("dayfly env upsert, new", &own),
        ("dayfly env upsert, standing", &again),
        ("blobless clone, plumbing", &clone),
    ] {
        let (wall, counts) = median(results);
        println!(
            "{name:<28}{:>7.3} s{:>8.2}{:>10}{:>10} B{:>10} B",
            wall.as_secs_f64(),
            wall.as_secs_f64() / least,
            counts.requests,
            counts.bytes_received,
            counts.bytes_sent
        );
    }
    Ok(())
}

/// The least that a write can be: where the branch stands is asked, a commit made before is pushed.
fn prebuilt(served: &Served, number: usize) -> Result<(Duration, Counts)> {
    let clone = served.ground.path(&format!("prebuilt-{number}"));
    let clone = text(&clone);
    let bare = served.ground.bare();
    served.ground.git(&[
        "clone",
        "-q",
        "--no-checkout",
        "--shared",
        text(&bare),
        clone,
    ])?;
    let (url, first) = (served.url(), served.ground.path("first.tf"));
    let script = r#"
cd "$1"
git read-tree HEAD
git update-index --add --cacheinfo "100644,$(git hash-object -w "$2"),$3"
git commit-tree -p HEAD -m "add $3" "$(git write-tree)"
"#;
    let mut command = served.ground.command("bash");
    command.args([
        "-euc",
        script,
        "prebuild",
        clone,
        text(&first),
        &file(number),
    ]);
    let commit = output(&mut command)?;
    let (before, began) = (served.server.counts(), Instant::now());
    served.ground.git(&["-C", clone, "ls-remote", "-q", &url])?;
    let refspec = format!("{}:refs/heads/main", commit.trim());
    served
        .ground
        .git(&["-C", clone, "push", "-q", &url, &refspec])?;
    Ok((began.elapsed(), since(served, before)))
}

fn median(results: &[(Duration, Counts)]) -> (Duration, Counts) {
    let mut sorted = results.to_vec();
    sorted.sort_by_key(|(wall, _)| *wall);
    sorted[sorted.len() / 2]
}
