//! A manager repository with many environments, to which things happen by chance, and what must be true
//! whenever an apply has come to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::shim::shim;
use crate::support::{PullRequest, SERVICE_10, Scene};

/// So many environments may stand at once.
const PLACES: usize = 60;
/// No round is without an end.
const MOST_ROUNDS: usize = 2000;
/// More changes of the data directory than an apply makes, so that some are not cut off.
const CHANGES: u64 = 1500;

/// An environment that stands, or may come back.
#[derive(Clone)]
struct Place {
    id: String,
    number: usize,
    /// The code that it previews while it is open.
    code: Option<String>,
    /// Whether its last life has not been looked at yet.
    has_ended: bool,
}

pub(crate) struct Town {
    scene: Scene,
    chance: Chance,
    /// An environment file, of pull request 10.
    file: String,
    places: Vec<Place>,
    /// The word of the infra repository's commit.
    word: String,
    steps: Vec<String>,
    whole: u64,
    crashes: usize,
    in_flight: usize,
}

impl Town {
    pub(crate) fn new(seed: u64) -> Self {
        let scene = Scene::new();
        let terraform = scene.world.path("bin/terraform");
        let _absent = fs::remove_file(&terraform);
        symlink(std::env::current_exe().unwrap(), &terraform).unwrap();
        scene.edit("dayfly.hcl", "runner {", "runner {\n  retries = 0");
        scene
            .infra
            .commit("main", &[("resources", "page w0\nrow w0\n")]);
        let pull_request = PullRequest::service();
        scene.event("opened", &pull_request);
        let path = Scene::file(&pull_request, SERVICE_10);
        let file = scene.manager.read("main", &path).unwrap();
        scene.manager.remove("main", &[&path]);
        let places = (0..PLACES).map(|number| Place {
            id: format!("{:08x}", 0xda1f_0000 + number),
            number: 100 + number,
            code: None,
            has_ended: false,
        });
        let mut town = Self {
            chance: Chance(seed),
            file,
            places: places.collect(),
            word: "w0".to_owned(),
            steps: Vec::new(),
            whole: 0,
            crashes: 0,
            in_flight: 0,
            scene,
        };
        town.settle();
        town
    }

    pub(crate) fn steps(&self) -> &[String] {
        &self.steps
    }

    /// How many lives have ended as they should.
    pub(crate) fn whole(&self) -> u64 {
        self.whole
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "{} lives, {} crashes, {} resources in flight",
            self.whole, self.crashes, self.in_flight
        )
    }

    /// Goes on until so many lives have come to their end.
    pub(crate) fn live(&mut self, count: u64) {
        for round in 0..MOST_ROUNDS {
            let open = self
                .places
                .iter()
                .filter(|place| place.code.is_some())
                .count() as u64;
            let left = count - self.whole;
            if left == 0 {
                break;
            }
            self.happens(round, left, open);
            if self.chance.below(2) == 0 {
                self.crashes();
            }
            self.settle();
        }
        self.ends();
    }

    /// What people do between two applies: each place by chance, in one commit or two.
    fn happens(&mut self, round: usize, left: u64, mut open: u64) {
        if self.chance.below(12) == 0 {
            self.word = format!("w{round}");
            let resources = format!("page {0}\nrow {0}\n", self.word);
            self.scene
                .infra
                .commit("main", &[("resources", &resources)]);
            self.steps.push(format!("infra push of {}", self.word));
        }
        let mut closed = 0;
        for number in 0..self.places.len() {
            let chosen = self.chance.below(4);
            let code = format!("{:040x}", self.chance.next());
            let place = &mut self.places[number];
            let step = match (&place.code, chosen) {
                (None, 0 | 1) if open < left => {
                    open += 1;
                    place.code = Some(code);
                    "opened"
                }
                (Some(_), 0) => {
                    place.code = Some(code);
                    "pushed to"
                }
                (Some(_), 1) => {
                    place.code = None;
                    place.has_ended = true;
                    closed += 1;
                    "closed"
                }
                _ => continue,
            };
            self.steps.push(format!("{} is {step}", place.id));
        }
        // Some are closed and opened again before anybody looks.
        let both: Vec<usize> = (0..self.places.len())
            .filter(|number| self.places[*number].has_ended)
            .collect();
        self.commit();
        if closed > 0 && self.chance.below(4) == 0 && left > open + closed {
            let again = both[self.chance.below(both.len() as u64) as usize];
            let place = &mut self.places[again];
            place.code = Some(format!("{:040x}", again + round * PLACES));
            // That is one life that goes on, as far as stacks are concerned.
            place.has_ended = false;
            self.steps
                .push(format!("{} is opened again at once", self.places[again].id));
            self.commit();
        }
    }

    /// Makes the manager's branch hold the files of those that are open.
    fn commit(&self) {
        let path = |place: &Place| {
            format!(
                "hello-service/environments/acme-hello-service-{}-{}.tf",
                place.number, place.id
            )
        };
        let there: BTreeSet<String> = self.scene.manager.files("main").into_iter().collect();
        let open = self
            .places
            .iter()
            .filter_map(|place| Some((place, place.code.as_ref()?)));
        let texts: Vec<(String, String)> = open
            .map(|(place, code)| {
                let text = self.file.replace(SERVICE_10, &place.id);
                let text = text.replace(
                    "hello-service-10",
                    &format!("hello-service-{}", place.number),
                );
                let text = text.replace("#10", &format!("#{}", place.number));
                (path(place), text.replace(&"a".repeat(40), code))
            })
            .collect();
        let texts: Vec<(&str, &str)> = texts
            .iter()
            .map(|(path, text)| (&**path, &**text))
            .collect();
        if !texts.is_empty() {
            self.scene.manager.commit("main", &texts);
        }
        let gone = self
            .places
            .iter()
            .filter(|place| place.code.is_none())
            .map(path);
        let gone: Vec<String> = gone.filter(|path| there.contains(path)).collect();
        if !gone.is_empty() {
            let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
            self.scene.manager.remove("main", &gone);
        }
    }

    fn apply(&self) -> Command {
        let mut command = self.scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
        command
            .args(["apply", "--parallelism", "4", "--allow-deletions", "1000"])
            .args(["--manager", &self.scene.manager.url, "--data-dir"])
            .arg(self.scene.world.path("data"))
            .stdin(Stdio::null());
        command
    }

    /// An apply that dies, or whose tool does.
    fn crashes(&mut self) {
        let data = self.scene.world.path("data").canonicalize().unwrap();
        let mut command = self.apply();
        let death = self.scene.world.path("home/die");
        match self.chance.below(3) {
            0 => {
                let when = ["before", "after"][self.chance.below(2) as usize];
                self.steps
                    .push(format!("an apply, whose tool dies {when} a change"));
                fs::write(&death, when).unwrap();
            }
            kind => {
                let at = 1 + self.chance.below(CHANGES);
                self.steps
                    .push(format!("an apply that dies at change {at}"));
                command
                    .env("LD_PRELOAD", shim())
                    .env("FAULT_DIRECTORY", &data)
                    .env("FAULT_KIND", "kill")
                    .env("FAULT_AT", at.to_string());
                if kind == 1 {
                    self.steps.push("and its tool after a change".to_owned());
                    fs::write(&death, "after").unwrap();
                }
            }
        }
        let ended = command.output().unwrap();
        if !ended.status.success() {
            self.crashes += 1;
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!said.contains("panicked"), "{said}");
        let _not_reached = fs::remove_file(death);
    }

    /// The apply of a person, and what is true after it.
    fn settle(&mut self) {
        self.steps.push("an apply".to_owned());
        let ended = self.apply().output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "the apply failed: {said}");
        let (standing, in_flight) = self.ledger();
        self.in_flight = in_flight;
        let mut expected = BTreeMap::new();
        for place in &self.places {
            for name in ["page", "row"] {
                if let Some(code) = &place.code {
                    let value = format!("{}-{code:.6}", self.word);
                    expected.insert((place.id.clone(), name.to_owned()), value);
                }
            }
        }
        let differ: Vec<_> = standing
            .iter()
            .filter(|(key, value)| expected.get(*key) != Some(*value))
            .map(|(key, value)| {
                format!("{key:?} stands as {value}, not as {:?}", expected.get(key))
            })
            .chain(
                expected
                    .keys()
                    .filter(|key| !standing.contains_key(*key))
                    .map(|key| format!("{key:?} does not stand")),
            )
            .collect();
        assert!(differ.is_empty(), "{differ:?}\n{said}");
        for place in &mut self.places {
            if std::mem::take(&mut place.has_ended) {
                self.whole += 1;
            }
        }
    }

    /// What stands by the books, and how much was in flight; each change must have been due.
    fn ledger(&self) -> (BTreeMap<(String, String), String>, usize) {
        let text = fs::read_to_string(self.scene.world.path("home/ledger")).unwrap_or_default();
        let mut standing = BTreeMap::new();
        let (mut again, mut in_flight) = (BTreeSet::new(), 0);
        let mut before = "";
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [done, environment, name, value] = words[..] else {
                panic!("{line}");
            };
            let key = (environment.to_owned(), name.to_owned());
            match done {
                "+" => {
                    let stood = standing.insert(key, value.to_owned());
                    assert_eq!(stood, None, "made twice: {line}");
                }
                "-" => {
                    let stood = standing.remove(&key);
                    let is_again = again.remove(&(key, value.to_owned()));
                    assert!(
                        stood.as_deref() == Some(value) || is_again,
                        "destroyed twice: {line}"
                    );
                }
                // The line before it is in no state: it is done again.
                _ => {
                    in_flight += 1;
                    if before.starts_with('+') {
                        standing.remove(&key);
                    } else {
                        again.insert((key, value.to_owned()));
                    }
                }
            }
            before = line;
        }
        (standing, in_flight)
    }

    /// All are closed; nothing is left.
    fn ends(&mut self) {
        for place in &mut self.places {
            place.code = None;
        }
        self.commit();
        self.settle();
        assert_eq!(self.scene.stacks(), ["hello-service-common"]);
        self.scene.data(&["status"]).succeeded();
        for directory in ["states", "holds", "workspaces"] {
            let entries = fs::read_dir(self.scene.world.path("data").join(directory)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let left: Vec<String> = names
                .filter(|name| name != "hello-service-common")
                .collect();
            assert!(left.is_empty(), "left in {directory}: {left:?}");
        }
    }
}

/// Numbers that depend on the seed alone (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
