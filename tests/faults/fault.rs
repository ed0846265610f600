//! The faults: where each strikes, and how it is made to.

use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::house::{House, InFlight, STACK, Stage, finish, writes_late};
use crate::shim::shim;
use crate::support::{Breakage, Output};

/// What goes wrong, once.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// dayfly is killed at this change of its data directory.
    Killed { at: usize, point: String },
    /// The disk is full from this change on.
    Full { at: usize, point: String },
    /// The clock jumps at this change.
    Clock {
        at: usize,
        point: String,
        hours: i64,
    },
    /// A process that git has left behind by dying had this lock.
    Left { lock: &'static str },
    /// Terraform, or git, is killed in a step, so far into it.
    Step { step: &'static str, after: Duration },
    /// Somebody is killed while a resource is made or destroyed.
    Resource {
        place: &'static str,
        whom: &'static str,
        in_flight: Option<InFlight>,
    },
    /// Another process has the store's lock, for so long or for as long as the apply is at work.
    Locked {
        from: &'static str,
        held: Option<Duration>,
    },
    /// A Git server does something else than answer.
    Git {
        repository: &'static str,
        breakage: Breakage,
    },
    /// A second apply on the same data directory: at once, or in the midst of the first.
    Twice { in_the_midst: bool },
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed { at, point } => {
                write!(formatter, "dayfly killed at change {at}, {point}")
            }
            Self::Full { at, point } => write!(formatter, "disk full from change {at} on, {point}"),
            Self::Clock { at, point, hours } => {
                write!(
                    formatter,
                    "clock jumps by {hours} h at change {at}, {point}"
                )
            }
            Self::Left { lock } => write!(formatter, "git killed while it held {lock}"),
            Self::Step { step, after } => {
                let after = after.as_millis();
                write!(formatter, "the tool killed in {step} after {after} ms")
            }
            Self::Resource { place, whom, .. } => write!(formatter, "{whom} killed {place}"),
            Self::Locked { from, held } => {
                let held = held.map_or("as long as the apply".to_owned(), |held| {
                    format!("{} s", held.as_secs())
                });
                write!(formatter, "store locked from {from} for {held}")
            }
            Self::Git {
                repository,
                breakage,
            } => write!(formatter, "Git of {repository}: {breakage:?}"),
            Self::Twice {
                in_the_midst: false,
            } => formatter.write_str("two applies at once"),
            Self::Twice { in_the_midst: true } => {
                formatter.write_str("an apply in the midst of another")
            }
        }
    }
}

/// Where git may leave a lock in the data directory.
const LOCKS: [&str; 5] = [
    "manager.git/refs/heads/main.lock",
    "manager.git/packed-refs.lock",
    "manager.git/shallow.lock",
    "repositories/acme/hello-infra.git/refs/heads/main.lock",
    "repositories/acme/hello-infra.git/packed-refs.lock",
];

/// All faults at all points of all stages, by stage.
pub(crate) fn all(house: &House) -> Vec<(Stage, Fault)> {
    let mut all = Vec::new();
    for stage in Stage::ALL {
        let points = points(house, stage);
        let mut add = |fault| all.push((stage, fault));
        for (index, point) in points.iter().enumerate() {
            add(Fault::Killed {
                at: index + 1,
                point: point.clone(),
            });
        }
        let changes = points
            .iter()
            .enumerate()
            .filter(|(_, point)| point.starts_with("before write"));
        for (index, point) in changes.step_by(2) {
            add(Fault::Full {
                at: index + 1,
                point: point.clone(),
            });
        }
        for (index, hours) in [
            (0, 24 * 366),
            (0, -24 * 366),
            (points.len() / 2, 24 * 10),
            (points.len() / 2, -24 * 10),
        ] {
            add(Fault::Clock {
                at: index + 1,
                point: points[index].clone(),
                hours,
            });
        }
        let steps: &[&str] = match stage {
            // The manager repository is followed without the command.
            Stage::Open => &["init", "plan", "show"],
            Stage::Push => &["fetch", "init", "plan", "show"],
            // Its init is skipped: nothing that it reads has changed.
            Stage::Close => &["destroy"],
        };
        for &step in steps {
            for milliseconds in [1, 60] {
                add(Fault::Step {
                    step,
                    after: Duration::from_millis(milliseconds),
                });
            }
        }
        let resources: &[(char, &str, [&str; 2])] = match stage {
            Stage::Open => &[
                ('+', "base 1", ["before+base", "after+base"]),
                ('+', "page a", ["before+page", "after+page"]),
            ],
            Stage::Push => &[
                ('-', "page a", ["before-page", "after-page"]),
                ('+', "page b", ["before+page", "after+page"]),
                ('+', "more 1", ["before+more", "after+more"]),
            ],
            Stage::Close => &[
                ('-', "page b", ["before-page", "after-page"]),
                ('-', "base 1", ["before-base", "after-base"]),
            ],
        };
        for (done, what, [before, after]) in resources {
            let done_again = Some(InFlight { done: *done, what });
            for whom in ["terraform", "both", "dayfly"] {
                add(Fault::Resource {
                    place: before,
                    whom,
                    in_flight: None,
                });
                let in_flight = done_again.clone().filter(|_| whom != "dayfly");
                add(Fault::Resource {
                    place: after,
                    whom,
                    in_flight,
                });
            }
        }
        let midst = resources[0].2[0];
        for from in ["the start", midst] {
            add(Fault::Locked {
                from,
                held: Some(Duration::from_secs(2)),
            });
            add(Fault::Locked { from, held: None });
        }
        for repository in ["previews", "hello-infra"] {
            for breakage in [
                Breakage::Down,
                Breakage::Slow(Duration::from_secs(1)),
                Breakage::Status(500),
                Breakage::Page,
                Breakage::Cut(40),
                Breakage::Cut(300),
            ] {
                add(Fault::Git {
                    repository,
                    breakage,
                });
            }
        }
        if stage == Stage::Push {
            for lock in LOCKS {
                add(Fault::Left { lock });
            }
        }
        for in_the_midst in [false, true] {
            add(Fault::Twice { in_the_midst });
        }
    }
    all
}

/// The changes of the data directory that the stage's apply makes, in their order.
fn points(house: &House, stage: Stage) -> Vec<String> {
    house.restore(stage);
    let log = house.fault("points");
    let applied = finish(shimmed(house, &[("FAULT_LOG", log.to_str().unwrap())]));
    assert_eq!(applied.status, 0, "{}", applied.stderr);
    let points = fs::read_to_string(log).unwrap();
    let points: Vec<String> = points.lines().map(str::to_owned).collect();
    let gone = states_go_last(&points);
    assert_eq!(gone > 0, matches!(stage, Stage::Close), "{points:#?}");
    points
}

/// A stack without its state is found by nobody: that a stack has left is on the disk when its state is
/// taken away, whatever else was not waited for. Gives how many files of states go.
fn states_go_last(points: &[String]) -> usize {
    let mut is_on_its_way = false;
    let mut gone = 0;
    for point in points {
        match point.as_str() {
            "before write dayfly.db-wal" => is_on_its_way = true,
            "after sync dayfly.db-wal" => is_on_its_way = false,
            point if point.starts_with("before unlink states") => {
                assert!(!is_on_its_way, "{point} in {points:#?}");
                gone += 1;
            }
            _ => {}
        }
    }
    gone
}

/// An apply with the shim in it.
fn shimmed(house: &House, variables: &[(&str, &str)]) -> Command {
    let mut command = house.apply();
    command
        .env("LD_PRELOAD", shim())
        .env("FAULT_DIRECTORY", house.data())
        .envs(variables.iter().copied());
    command
}

impl Fault {
    /// Lets it strike at a stage, and fails unless all ends as if it had not.
    pub(crate) fn survive(&self, house: &House, stage: Stage) {
        house.restore(stage);
        let mut in_flight = Vec::new();
        match self {
            Self::Killed { at, point } => {
                let at = at.to_string();
                let variables = [("FAULT_AT", &*at), ("FAULT_KIND", "kill")];
                let status = finish(shimmed(house, &variables)).status;
                // Should it make a file less than when the points were counted, the end comes earlier.
                let is_end = point.contains(" unlink dayfly.db-");
                assert!(
                    status == -1 || status == 0 && is_end,
                    "it was not killed: {status}"
                );
            }
            Self::Full { at, .. } => {
                let at = at.to_string();
                let variables = [("FAULT_AT", &*at), ("FAULT_KIND", "full")];
                let applied = finish(shimmed(house, &variables));
                // What comes last may be done without; else it is one error.
                if applied.status != 0 {
                    fails_with_one_error(&applied);
                }
            }
            Self::Clock { at, hours, .. } => {
                let (at, seconds) = (at.to_string(), (hours * 3600).to_string());
                let variables = [
                    ("FAULT_AT", &*at),
                    ("FAULT_KIND", "clock"),
                    ("FAULT_SECONDS", &seconds),
                ];
                let applied = finish(shimmed(house, &variables));
                assert_eq!(applied.status, 0, "{}", applied.stderr);
            }
            Self::Left { lock } => fs::write(house.data().join(lock), "").unwrap(),
            Self::Step { step, after } => strike_in_step(house, stage, step, *after),
            Self::Resource {
                place,
                whom,
                in_flight: again,
            } => {
                house.plant(place, whom);
                let applied = finish(house.apply());
                assert!(!house.fault(place).exists(), "nobody was there");
                if *whom == "terraform" {
                    // dayfly is there, and tries again.
                    assert_eq!(applied.status, 0, "{}{}", applied.stdout, applied.stderr);
                } else {
                    assert_eq!(applied.status, -1, "{}{}", applied.stdout, applied.stderr);
                }
                in_flight.extend(again.clone());
            }
            Self::Locked { from, held } => strike_by_lock(house, from, *held),
            Self::Git {
                repository,
                breakage,
            } => {
                let broken = house.scene.world.server.break_down(repository, *breakage);
                let applied = finish(house.apply());
                drop(broken);
                if let Breakage::Slow(_) = breakage {
                    assert_eq!(applied.status, 0, "{}", applied.stderr);
                } else if *repository == "previews" {
                    fails_with_one_error(&applied);
                }
            }
            Self::Twice { in_the_midst } => strike_by_second(house, stage, *in_the_midst),
        }
        house.recover(stage);
        if let Self::Resource { place, whom, .. } = self
            && *whom != "dayfly"
        {
            names_what_was_in_flight(house, place);
        }
        house.live_on(stage, &in_flight);
    }
}

/// Exit code and message are a person's: no panic, and one error.
fn fails_with_one_error(applied: &Output) {
    let said = &applied.stderr;
    assert!(
        [1, 5].contains(&applied.status),
        "exit code {}: {said}",
        applied.status
    );
    let errors = said
        .lines()
        .filter(|line| line.starts_with("error: "))
        .count();
    assert!(
        errors == 1 && !said.contains("panicked"),
        "{errors} errors: {said}"
    );
}

fn strike_in_step(house: &House, stage: Stage, step: &'static str, after: Duration) {
    let mut after = after;
    for _ in 0..4 {
        house.plant(step, &after.as_secs_f64().to_string());
        let applied = finish(house.apply());
        assert!(!house.fault(step).exists(), "there was no {step}");
        if house.fault("hit").exists() {
            if step == "fetch" && applied.status != 0 {
                fails_with_one_error(&applied);
                return;
            }
            assert_eq!(applied.status, 0, "{}{}", applied.stdout, applied.stderr);
            return;
        }
        // It was faster.
        after /= 3;
        house.restore(stage);
    }
    panic!("{step} is too fast to be killed");
}

fn strike_by_lock(house: &House, from: &str, held: Option<Duration>) {
    let is_late = from != "the start";
    if is_late {
        house.plant(from, "wait");
    }
    let connection = rusqlite::Connection::open(house.data().join("dayfly.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    let lock = || connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    if !is_late {
        lock();
    }
    let mut command = house.apply();
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if is_late {
        wait_until("the resource", || house.fault("waits").exists());
        lock();
        fs::remove_file(house.fault("waits")).unwrap();
    }
    if let Some(held) = held {
        std::thread::sleep(held);
        connection.execute_batch("ROLLBACK").unwrap();
    }
    let ended = output(child);
    match held {
        Some(_) => assert_eq!(ended.status, 0, "{}", ended.stderr),
        None => {
            fails_with_one_error(&ended);
            assert!(ended.stderr.contains("locked"), "{}", ended.stderr);
        }
    }
}

fn strike_by_second(house: &House, stage: Stage, in_the_midst: bool) {
    let place = match stage {
        Stage::Open => "before+base",
        Stage::Push | Stage::Close => "before-page",
    };
    if in_the_midst {
        house.plant(place, "wait");
    }
    let start = || {
        let mut command = house.apply();
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let first = start();
    if in_the_midst {
        wait_until("the resource", || house.fault("waits").exists());
    }
    let second = output(start());
    if in_the_midst {
        assert_eq!(second.status, 5, "{}", second.stderr);
        fs::remove_file(house.fault("waits")).unwrap();
    }
    let first = output(first);
    let mut done = [first.status, second.status];
    done.sort_unstable();
    assert!(done == [0, 0] || done == [0, 5], "{done:?}");
    for one in [first, second].iter().filter(|one| one.status == 5) {
        fails_with_one_error(one);
        assert!(
            one.stderr.contains("is in use by process "),
            "{}",
            one.stderr
        );
    }
}

/// The run that was cut off names what it was at, and so does the log of the run that does it again.
fn names_what_was_in_flight(house: &House, place: &str) {
    let name = place.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
    let doing = match &name[..1] {
        "+" => "creating",
        _ => "destroying",
    };
    let expected = format!("{doing} terraform_data.{}", &name[1..]);
    let runs = house.runs();
    let runs = runs.as_array().unwrap().iter().rev();
    let mut runs = runs
        .filter(|run| run["stack"] == STACK)
        .skip_while(|run| run["state"] != "FAILED");
    let mut next = || {
        runs.next().expect("another run")["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let shown = house
        .scene
        .data(&["runs", "show", &next(), "--output", "json"]);
    let shown = shown.json();
    let told = shown["in_flight"].as_array().unwrap();
    let is_stored = |it: &&serde_json::Value| !it.as_str().unwrap().starts_with("storing that ");
    let begun: Vec<_> = told.iter().filter(is_stored).collect();
    assert_eq!(begun, [&expected]);
    assert!(writes_late() || told.len() == 1, "{told:?}");
    let log = house.scene.data(&["logs", &next()]).succeeded().stdout;
    assert!(log.lines().next().unwrap().contains(&expected), "{log}");
}

fn output(child: std::process::Child) -> Output {
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.signal(), None);
    Output {
        status: ended.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}
