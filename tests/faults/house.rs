//! An environment's life, stage by stage, and what must be true at the end of each.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Output, PullRequest, Scene};

pub(crate) const STACK: &str = "hello-service-ca6d5eab";

/// Resources that note in a ledger that they are made and destroyed.
const MODULE: &str = r#"
variable "environment" {}
variable "code_version" {}

resource "terraform_data" "base" {
  triggers_replace = "1"
  provisioner "local-exec" {
    command = "sh BOOK $PPID + base ${self.triggers_replace}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "sh BOOK $PPID - base ${self.triggers_replace}"
  }
}

resource "terraform_data" "page" {
  depends_on       = [terraform_data.base]
  triggers_replace = substr(var.code_version, 0, 1)
  provisioner "local-exec" {
    command = "sh BOOK $PPID + page ${self.triggers_replace}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "sh BOOK $PPID - page ${self.triggers_replace}"
  }
}
"#;

/// What an infra push brings.
const MORE: &str = r#"
resource "terraform_data" "more" {
  depends_on       = [terraform_data.page]
  triggers_replace = "1"
  provisioner "local-exec" {
    command = "sh BOOK $PPID + more ${self.triggers_replace}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "sh BOOK $PPID - more ${self.triggers_replace}"
  }
}
"#;

/// Keeps the ledger: `PROCESS + NAME VERSION`. A file `faults/before+NAME` or `faults/after+NAME` says,
/// once, who dies before or after the line is written, or that it waits.
const BOOK: &str = r#"
terraform=$1
fault() {
  [ -e "WORLD/faults/$1" ] || return 0
  whom=$(cat "WORLD/faults/$1")
  rm "WORLD/faults/$1"
  case $whom in
    terraform) kill -9 "$terraform"; exit 1 ;;
    dayfly) kill -9 "$(cat WORLD/data/lock)" ;;
    both) kill -9 "$(cat WORLD/data/lock)" "$terraform"; exit 1 ;;
    wait)
      touch WORLD/faults/waits
      while [ -e WORLD/faults/waits ]; do sleep 0.02; done ;;
  esac
}
fault "before$2$3"
echo "$2 $3 $4" >>WORLD/ledger
fault "after$2$3"
"#;

/// The real tool, but for the step that a file `faults/STEP` names: that is killed after so many seconds.
const TOOL: &str = r#"#!/bin/sh
step=$1
for word; do
  if [ "$word" = fetch ]; then step=fetch; fi
done
if [ -e "WORLD/faults/$step" ]; then
  delay=$(cat "WORLD/faults/$step")
  rm "WORLD/faults/$step"
  exec 3<&0
  REAL "$@" <&3 &
  sleep "$delay"
  if kill -9 $!; then
    touch WORLD/faults/hit
    wait $!
    kill -9 $$
  fi
  wait $!
  exit
fi
exec REAL "$@"
"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Open,
    Push,
    Close,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Open => "open",
            Self::Push => "push",
            Self::Close => "close",
        })
    }
}

impl Stage {
    pub(crate) const ALL: [Self; 3] = [Self::Open, Self::Push, Self::Close];

    /// What stands at its end.
    fn standing(self) -> &'static [&'static str] {
        match self {
            Self::Open => &["base 1", "page a"],
            Self::Push => &["base 1", "more 1", "page b"],
            Self::Close => &[],
        }
    }
}

/// A scene at the beginning of a stage: all that has happened is done, but for the stage's `apply`.
pub(crate) struct House {
    pub(crate) scene: Scene,
    module: String,
}

impl House {
    pub(crate) fn new() -> Self {
        let scene = Scene::new();
        let world = &scene.world;
        let here = world
            .path("")
            .to_str()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        let module = MODULE.replace("BOOK", &format!("{here}/book.sh"));
        fs::write(world.path("book.sh"), BOOK.replace("WORLD", &here)).unwrap();
        fs::create_dir(world.path("faults")).unwrap();
        for name in ["git", "terraform", "tofu"] {
            let link = world.path("bin").join(name);
            let Ok(real) = fs::read_link(&link) else {
                continue;
            };
            fs::remove_file(&link).unwrap();
            let tool = TOOL.replace("WORLD", &here);
            world.program(name, &tool.replace("REAL", real.to_str().unwrap()));
        }
        scene.infra.commit("main", &[("main.tf", &module)]);
        scene.apply().succeeded();
        let house = Self { scene, module };
        house.happens(Stage::Open);
        house.keep(Stage::Open);
        house.scene.apply().succeeded();
        house.is_at_the_end_of(Stage::Open, &[]);
        house.happens(Stage::Push);
        house.keep(Stage::Push);
        house.scene.apply().succeeded();
        house.is_at_the_end_of(Stage::Push, &[]);
        house.happens(Stage::Close);
        house.keep(Stage::Close);
        house
    }

    /// What happens outside, before the stage's `apply`.
    fn happens(&self, stage: Stage) {
        let pull_request = PullRequest::service();
        match stage {
            Stage::Open => {
                self.scene.event("opened", &pull_request);
            }
            Stage::Push => {
                let module = format!("{}{MORE}", self.module);
                let module =
                    module.replace("BOOK", self.scene.world.path("book.sh").to_str().unwrap());
                self.scene.infra.commit("main", &[("main.tf", &module)]);
                let moved = pull_request.at(&"b".repeat(40));
                self.scene.event("synchronize", &moved);
            }
            Stage::Close => {
                self.scene.event("closed", &pull_request);
            }
        }
    }

    fn kept(&self, stage: Stage) -> PathBuf {
        self.scene.world.path(&format!("kept-{stage}"))
    }

    fn keep(&self, stage: Stage) {
        let kept = self.kept(stage);
        fs::create_dir(&kept).unwrap();
        for name in KEPT {
            let path = self.scene.world.path(name);
            if path.exists() {
                copy(&path, &kept);
            }
        }
    }

    /// Back to the beginning of a stage.
    pub(crate) fn restore(&self, stage: Stage) {
        let kept = self.kept(stage);
        for name in KEPT {
            let path = self.scene.world.path(name);
            if path.is_dir() {
                fs::remove_dir_all(&path).unwrap();
            } else if path.exists() {
                fs::remove_file(&path).unwrap();
            }
            if kept.join(name).exists() {
                copy(&kept.join(name), path.parent().unwrap());
            }
        }
        let faults = self.scene.world.path("faults");
        fs::remove_dir_all(&faults).unwrap();
        fs::create_dir(&faults).unwrap();
    }

    /// `dayfly apply`, not yet started.
    pub(crate) fn apply(&self) -> Command {
        let mut command = self.scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
        command
            .args(["apply", "--manager", &self.scene.manager.url, "--data-dir"])
            .arg(self.data());
        command
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.scene.world.path("data").canonicalize().unwrap()
    }

    /// Says, once, what is to happen at a place.
    pub(crate) fn plant(&self, place: &str, what: &str) {
        fs::write(self.fault(place), what).unwrap();
    }

    pub(crate) fn fault(&self, place: &str) -> PathBuf {
        self.scene.world.path("faults").join(place)
    }

    /// What a user types after a fault: `dayfly apply`, and if that did not come to the end, once more.
    pub(crate) fn recover(&self, stage: Stage) {
        let mut said = String::new();
        for _ in 0..2 {
            let applied = finish(self.apply());
            if applied.status == 0 && self.standing() == stage.standing() {
                return;
            }
            said = format!(
                "exit code {}: {}{}",
                applied.status, applied.stdout, applied.stderr
            );
        }
        panic!(
            "two applies did not come to the end: {said}\n{}",
            self.runs()
        );
    }

    /// Goes on to the end of the environment's life, and looks at what is left.
    pub(crate) fn live_on(&self, stage: Stage, in_flight: &[InFlight]) {
        self.is_at_the_end_of(stage, in_flight);
        if stage != Stage::Close {
            // A push is left out: it is a stage of its own.
            self.happens(Stage::Close);
            let applied = finish(self.apply());
            assert_eq!(applied.status, 0, "{}{}", applied.stdout, applied.stderr);
            self.is_at_the_end_of(Stage::Close, in_flight);
        }
    }

    fn ledger(&self) -> BTreeMap<String, [usize; 2]> {
        let text = fs::read_to_string(self.scene.world.path("ledger")).unwrap_or_default();
        let mut ledger: BTreeMap<String, [usize; 2]> = BTreeMap::new();
        for line in text.lines() {
            let (done, what) = line.split_once(' ').unwrap();
            ledger.entry(what.to_owned()).or_default()[usize::from(done == "-")] += 1;
        }
        ledger
    }

    /// What was made and not destroyed, by the ledger.
    fn standing(&self) -> Vec<String> {
        let ledger = self.ledger().into_iter();
        let stands = ledger.filter(|(_, [made, destroyed])| made > &0 && destroyed == &0);
        stands.map(|(what, _)| what).collect()
    }

    pub(crate) fn runs(&self) -> Value {
        self.scene.data(&["runs", "--output", "json"]).json()
    }

    /// What all runs were at when they were cut off.
    fn in_flight(&self) -> Vec<String> {
        let runs = self.runs();
        let runs = runs.as_array().unwrap().iter();
        let told = runs.flat_map(|run| {
            let words = [
                "runs",
                "show",
                run["id"].as_str().unwrap(),
                "--output",
                "json",
            ];
            let shown = self.scene.data(&words).json();
            let told = shown["in_flight"].as_array().unwrap().iter();
            let told: Vec<String> = told.map(|it| it.as_str().unwrap().to_owned()).collect();
            told
        });
        told.collect()
    }

    fn is_at_the_end_of(&self, stage: Stage, in_flight: &[InFlight]) {
        assert_eq!(self.standing(), stage.standing(), "what stands");
        for (what, [made, destroyed]) in self.ledger() {
            let stands = stage.standing().contains(&&*what);
            let expected = [1, usize::from(!stands)];
            let repeated = in_flight.iter().find(|one| one.what == what);
            let as_expected = match repeated {
                // Terraform had not recorded it.
                Some(one) if one.done == '+' => made == 2 && destroyed == expected[1],
                Some(_) => made == 1 && destroyed == if stands { 0 } else { 2 },
                None if [made, destroyed] == expected => true,
                // What had ended and was not stored is done again, and named.
                None => {
                    let name = what.split(' ').next().unwrap();
                    let is_named = |done: &str| {
                        let told = format!("storing that terraform_data.{name} was {done}");
                        self.in_flight().contains(&told)
                    };
                    let may_be = |count: usize, expected: usize, done: &str| {
                        count == expected || (count == 2 && expected == 1 && is_named(done))
                    };
                    writes_late()
                        && may_be(made, 1, "created")
                        && may_be(destroyed, expected[1], "destroyed")
                }
            };
            assert!(
                as_expected,
                "{what} was made {made} times and destroyed {destroyed} times\n{}",
                self.runs()
            );
        }
        let status = self.scene.data(&["status", "--output", "json"]);
        assert_eq!(
            status.status, 0,
            "status: {}{}",
            status.stdout, status.stderr
        );
        let mut stacks = self.scene.stacks();
        stacks.sort();
        let expected: &[&str] = match stage {
            Stage::Close => &["hello-service-common"],
            _ => &[STACK, "hello-service-common"],
        };
        assert_eq!(stacks, expected, "stacks");
        let runs = self.runs();
        for run in runs.as_array().unwrap() {
            let state = run["state"].as_str().unwrap();
            let ended = ["FINISHED", "FAILED", "CANCELED", "SKIPPED", "STOPPED"];
            assert!(ended.contains(&state), "{runs}");
        }
        self.nobody_holds_anything();
        if stage == Stage::Close {
            self.nothing_is_left();
        }
    }

    fn nobody_holds_anything(&self) {
        let data = self.data();
        let holds = fs::read_dir(data.join("holds")).into_iter().flatten();
        let holds = holds.map(|entry| entry.unwrap().path());
        for lock in holds.chain([data.join("lock")]) {
            let file = File::open(&lock).unwrap();
            assert!(file.try_lock().is_ok(), "{} is held", lock.display());
        }
        let left = |name: &str| names(&data.join(name)).collect::<Vec<_>>();
        assert!(
            left("workspaces").is_empty(),
            "workspaces: {:?}",
            left("workspaces")
        );
        let runs: Vec<String> = names(&data.join("runs"))
            .filter(|name| !name.ends_with(".log"))
            .collect();
        assert!(runs.is_empty(), "beside the logs: {runs:?}");
    }

    fn nothing_is_left(&self) {
        let data = self.data();
        for directory in ["states", "holds"] {
            let left: Vec<String> = names(&data.join(directory)).collect();
            assert!(
                !left.iter().any(|name| name.starts_with(STACK)),
                "{directory}: {left:?}"
            );
        }
        let mirror = data.join("repositories/acme/hello-infra.git");
        let pins = self.scene.world.git(
            &mirror,
            &["for-each-ref", "--format=%(refname)", "refs/dayfly"],
        );
        assert!(!pins.contains(STACK), "{pins}");
    }
}

/// What was made or destroyed when Terraform was killed, and so is done again.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    /// `+` made, `-` destroyed.
    pub(crate) done: char,
    /// As in the ledger.
    pub(crate) what: &'static str,
}

/// What a stage may change.
const KEPT: [&str; 3] = ["data", "repositories", "ledger"];

fn copy(from: &Path, into: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(into).status();
    assert!(copied.unwrap().success());
}

fn names(directory: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap())
}

/// How long an apply may take, whatever breaks.
const TOO_LONG: Duration = Duration::from_secs(100);

/// Runs it to its end.
pub(crate) fn finish(mut command: Command) -> Output {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let streams = [child.stdout.take().map(read), child.stderr.take().map(read)];
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > TOO_LONG {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let [stdout, stderr] = streams.map(|stream| stream.unwrap().join().unwrap());
    Output {
        status: status.code().unwrap_or(-1),
        stdout,
        stderr,
    }
}

fn read(mut stream: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _cut = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// OpenTofu, unlike Terraform, does not write a local state after each resource: what it had finished
/// shortly before a kill is in no state, and is done again.
pub(crate) fn writes_late() -> bool {
    std::env::var("TERRAFORM").is_ok_and(|tool| tool == "tofu")
}
