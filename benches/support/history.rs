//! Data directories with many stacks and many past runs, beside one with hardly any.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dayfly::git::Remote;
use dayfly::manager::Manager;
use dayfly::reconcile::{Apply, Watch, apply};
use dayfly::run::RunState;
use dayfly::runner::HostEnvironment;
use dayfly::store::Run;
use rusqlite::Connection;

use super::ground::{Ground, environment, file, output, text};
use super::{lay_out_infra, spans};

/// How many environments stand in the directory with hardly any.
const FEW: usize = 10;
/// How many past runs each stack of the other has.
const RUNS: usize = 10;

/// A manager repository and its data directory.
struct Past {
    ground: Ground,
    environments: usize,
}

/// What was measured of a directory, in medians.
struct Taken {
    /// `dayfly status`, as a process.
    status: Duration,
    /// All of one run between the recorded changes and the end of `dayfly apply`, in seconds.
    run: f64,
}

/// Measures both directories in turn and prints the table.
pub(super) fn measure(environments: usize, rounds: usize) -> Result<()> {
    let few = Past::new(FEW, 0)?;
    let many = Past::new(environments, RUNS)?;
    let mut taken = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for round in 1..=rounds {
        for (past, (status, runs)) in [&few, &many].into_iter().zip(&mut taken) {
            status.push(past.status()?);
            runs.push(past.run(round)?);
        }
    }
    println!("\n| stacks | past runs | `dayfly status` | one run |\n|---|---|---|---|");
    for (past, (mut status, mut runs)) in [&few, &many].into_iter().zip(taken) {
        status.sort();
        runs.sort_by(f64::total_cmp);
        let taken = Taken {
            status: status[rounds / 2],
            run: runs[rounds / 2],
        };
        let (stacks, all) = past.counts()?;
        println!(
            "| {stacks} | {all} | {:.1} ms | {:.1} ms |",
            taken.status.as_secs_f64() * 1e3,
            taken.run * 1e3
        );
    }
    Ok(())
}

impl Past {
    /// So many environments, each with so many past runs. The first run is a real one; the past is
    /// made of copies of its rows.
    fn new(environments: usize, runs: usize) -> Result<Self> {
        let ground = Ground::new(environments)?;
        let here = format!("{}/", text(&ground.path("served")));
        lay_out_infra(&ground, &here)?;
        let past = Self {
            ground,
            environments,
        };
        // What the policy is asked grows with the changes: it is attached once all are recorded.
        let main = past
            .ground
            .git(&["-C", text(&past.ground.bare()), "show", "main:main.tf"])?;
        let attachment = main
            .split("\n\n")
            .find(|block| block.contains("\"spacelift_policy_attachment\" \"trigger\""))
            .context("main.tf attaches the trigger policy")?;
        let without = main.replace(attachment, "");
        past.ground.commit(&[("main.tf".to_owned(), without)])?;
        past.apply("--record")?;
        past.ground
            .commit(&[("main.tf".to_owned(), main.clone())])?;
        past.apply("--record")?;
        past.run(0)?;
        past.multiply(runs)?;
        Ok(past)
    }

    fn store(&self) -> Result<Connection> {
        Ok(Connection::open(self.ground.path("data/dayfly.db"))?)
    }

    fn multiply(&self, runs: usize) -> Result<()> {
        let store = self.store()?;
        store.execute_batch(&format!(
            "BEGIN;
             UPDATE stack SET began = real.began, outputs = real.outputs
                 FROM (SELECT began, outputs FROM stack WHERE began IS NOT NULL) AS real;
             WITH RECURSIVE turn (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM turn WHERE n < {runs})
             INSERT INTO run (stack, kind, state, commit_id, cause, note, created, updated,
                              added, changed, destroyed, told)
                 SELECT stack.id, run.kind, run.state, run.commit_id, run.cause, run.note,
                        run.created, run.updated, run.added, run.changed, run.destroyed, run.told
                 FROM turn CROSS JOIN stack CROSS JOIN run WHERE run.id = 1 AND {runs} > 0;
             INSERT INTO run_state (run, state, at)
                 SELECT run.id, past.state, past.at
                 FROM run CROSS JOIN run_state AS past WHERE run.id > 1 AND past.run = 1;
             INSERT INTO judgement (run, kind, state, digest, said, at)
                 SELECT run.id, past.kind, past.state, past.digest, past.said, past.at
                 FROM run CROSS JOIN judgement AS past WHERE run.id > 1 AND past.run = 1;
             COMMIT;"
        ))?;
        Ok(())
    }

    /// Stacks and runs.
    fn counts(&self) -> Result<(i64, i64)> {
        let count = |table: &str| -> Result<i64> {
            let query = format!("SELECT count(*) FROM {table}");
            Ok(self.store()?.query_row(&query, [], |row| row.get(0))?)
        };
        Ok((count("stack")?, count("run")?))
    }

    fn status(&self) -> Result<Duration> {
        let mut command = self.ground.command(env!("CARGO_BIN_EXE_dayfly"));
        command.arg("status").arg("--data-dir");
        command.arg(self.ground.path("data")).stdin(Stdio::null());
        let began = Instant::now();
        let told = output(&mut command)?;
        let took = began.elapsed();
        ensure!(told.lines().count() > self.environments, "{told}");
        Ok(took)
    }

    /// Another version of the code in one environment, and the one run that follows.
    fn run(&self, round: usize) -> Result<f64> {
        let number = round % self.environments + 1;
        let content = environment(&self.ground.first()?, number);
        let line = content.lines().find(|line| line.contains("code_version"));
        let line = line.context("an environment has a code_version")?;
        let changed = format!("  code_version            = \"{:040x}\"", round + 1000);
        let changed = content.replace(line, &changed);
        self.ground.commit(&[(file(number), changed)])?;
        let (finished, seconds) = self.apply("--once")?;
        ensure!(finished == 1, "{finished} runs finished, not one");
        Ok(seconds)
    }

    /// An apply as a process of its own: how many runs finished, and how long all runs took.
    fn apply(&self, how: &str) -> Result<(usize, f64)> {
        let mut command = self.ground.command(std::env::current_exe()?);
        command.arg(how).arg(self.ground.bare());
        command.arg(self.ground.path("data"));
        command.env("CHECKPOINT_DISABLE", "1");
        Ok(serde_json::from_str(&output(&mut command)?)?)
    }
}

struct Unwatched;

impl Watch for Unwatched {
    fn moved(&self, _: &Run) {}
}

/// What such a process does: it only records where `is_stopped`.
pub(super) fn once(repository: &Path, directory: &Path, is_stopped: bool) -> Result<()> {
    fs::create_dir_all(directory)?;
    let spans = spans::collect();
    let manager = Manager {
        remote: Remote::new(text(repository), None),
        branch: None,
        variables: Default::default(),
    };
    let (_sender, stop) = tokio::sync::watch::channel(is_stopped);
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
    let applied = apply(&options, &Unwatched, |_| {})?;
    ensure!(applied.unreachable.is_empty(), "{:?}", applied.unreachable);
    let is_finished = |run: &&Run| run.state == RunState::Finished;
    let finished = applied.runs.iter().filter(is_finished).count();
    let seconds = spans.seconds().get("runs").copied().unwrap_or_default();
    println!("{}", serde_json::to_string(&(finished, seconds))?);
    Ok(())
}
