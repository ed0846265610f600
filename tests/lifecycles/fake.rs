//! A `terraform` that keeps books: `+` and `-` with environment, resource and value, in a ledger that all
//! stacks share, and its state as Terraform would. It is this test's own program under that name.
//!
//! `HOME/die` has the next one that makes or destroys something die there, once: `before` or `after` it
//! is in the ledger, and so in no state either way; `!` in the ledger tells of the latter.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

type Resources = BTreeMap<String, String>;

/// What was planned of which state.
struct State {
    path: PathBuf,
    serial: u64,
    resources: Resources,
}

pub(crate) fn run() -> i32 {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["version", ..] => println!("{}", json!({ "terraform_version": "1.11.4" })),
        ["init", ..] => init(),
        ["plan", .., out] => return plan(out.strip_prefix("-out=").unwrap()),
        ["show", "-json"] => show_state(),
        ["show", "-json", plan] => show_plan(&read(Path::new(plan))),
        ["apply", .., plan] => return apply(&read(Path::new(plan))),
        ["output", "-json"] => println!("{}", json!({})),
        ["destroy", ..] => return change(&mut State::load(), &Resources::new()),
        _ => panic!("nobody has told me of {words:?}"),
    }
    0
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Records the backend that dayfly's override sets.
fn init() {
    let settings = read(Path::new("zzz_dayfly_state_override.tf.json"));
    let path = &settings["terraform"]["backend"]["local"]["path"];
    let record = json!({ "backend": { "type": "local", "config": { "path": path } } });
    fs::create_dir_all(".terraform").unwrap();
    fs::write(".terraform/terraform.tfstate", record.to_string()).unwrap();
}

impl State {
    fn load() -> Self {
        let record = read(Path::new(".terraform/terraform.tfstate"));
        let path = PathBuf::from(record["backend"]["config"]["path"].as_str().unwrap());
        let state = match fs::read(&path) {
            Ok(content) if !content.is_empty() => serde_json::from_slice(&content).unwrap(),
            _ => Value::Null,
        };
        let resources = state["resources"].as_array().into_iter().flatten();
        let word = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
        Self {
            path,
            serial: state["serial"].as_u64().unwrap_or_default(),
            resources: resources
                .map(|one| (word(one, "name"), word(one, "value")))
                .collect(),
        }
    }

    fn store(&mut self) {
        self.serial += 1;
        let resources = self.resources.iter();
        let resources: Vec<Value> = resources
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let state = json!({
            "version": 4, "serial": self.serial, "lineage": "fake", "resources": resources,
        });
        fs::write(&self.path, state.to_string()).unwrap();
    }
}

/// What the file `resources` of the commit wants, each at this version of the code.
fn wanted() -> Resources {
    let code = env::var("TF_VAR_code_version").unwrap_or_default();
    let text = fs::read_to_string("resources").unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, word)| (name.to_owned(), format!("{word}-{code:.6}")))
        .collect()
}

fn plan(out: &str) -> i32 {
    let (state, wanted) = (State::load(), wanted());
    let plan = json!({ "serial": state.serial, "before": state.resources, "after": wanted });
    fs::write(out, plan.to_string()).unwrap();
    if state.resources == wanted { 0 } else { 2 }
}

fn show_plan(plan: &Value) {
    let side = |name: &str| plan[name].as_object().unwrap().clone();
    let (before, after) = (side("before"), side("after"));
    let changes: Vec<Value> = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)))
        .map(|name| {
            let actions: &[&str] = match (before.get(name), after.get(name)) {
                (None, _) => &["create"],
                (_, None) => &["delete"],
                (old, new) if old == new => &["no-op"],
                _ => &["delete", "create"],
            };
            json!({ "address": address(name), "type": "fake", "name": name,
                    "change": { "actions": actions } })
        })
        .collect();
    println!(
        "{}",
        json!({ "terraform_version": "1.11.4", "resource_changes": changes })
    );
}

fn show_state() {
    let names = State::load().resources.into_keys();
    let resources: Vec<Value> = names
        .map(|name| json!({ "address": address(&name) }))
        .collect();
    println!(
        "{}",
        json!({ "values": { "root_module": { "resources": resources } } })
    );
}

fn address(name: &str) -> String {
    format!("fake.{name}")
}

fn apply(plan: &Value) -> i32 {
    let mut state = State::load();
    if plan["serial"] != state.serial {
        eprintln!("Error: Saved plan is stale");
        return 1;
    }
    let after = plan["after"].as_object().unwrap().iter();
    let after = after.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    change(&mut state, &after.collect())
}

fn change(state: &mut State, after: &Resources) -> i32 {
    let before = state.resources.clone();
    // Two at work on one state are told, too.
    let lock = File::create(state.path.with_extension("lock")).unwrap();
    if lock.try_lock().is_err() {
        note(&format!("two at work on {}", state.path.display()));
    }
    let mut destroyed = 0;
    for (name, value) in &before {
        if after.get(name) != Some(value) {
            println!("{}: Destroying... [id=1]", address(name));
            book('-', name, value);
            state.resources.remove(name);
            state.store();
            println!("{}: Destruction complete after 0s", address(name));
            destroyed += 1;
        }
    }
    for (name, value) in after {
        if before.get(name) != Some(value) {
            println!("{}: Creating...", address(name));
            book('+', name, value);
            state.resources.insert(name.clone(), value.clone());
            state.store();
            println!("{}: Creation complete after 0s [id=1]", address(name));
        }
    }
    fs::remove_file(state.path.with_extension("lock")).unwrap();
    println!("Destroy complete! Resources: {destroyed} destroyed.");
    0
}

fn book(done: char, name: &str, value: &str) {
    let environment = env::var("TF_VAR_environment").unwrap();
    let death = Path::new(&env::var("HOME").unwrap()).join("die");
    let when = fs::read_to_string(&death).unwrap_or_default();
    let dies = !when.is_empty() && fs::remove_file(&death).is_ok();
    if dies && when == "before" {
        die();
    }
    note(&format!("{done} {environment} {name} {value}"));
    if dies {
        note(&format!("! {environment} {name} {value}"));
        die();
    }
}

/// One write, so that lines stay whole whoever writes beside.
fn note(line: &str) {
    let path = Path::new(&env::var("HOME").unwrap()).join("ledger");
    let mut ledger = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    ledger.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn die() -> ! {
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
    unreachable!()
}
