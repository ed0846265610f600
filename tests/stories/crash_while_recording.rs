//! dayfly is killed at each step of recording a manager run: what is recorded afterwards is what was before,
//! or what the new commit says, with the commit that it came from.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::Scene;

/// In a value of the new commit, so that it is seen which write is of the records.
const MARK: &str = "the mark of the new commit";

const SIGKILL: i32 = 9;

fn contexts(names: &[&str], description: &str) -> String {
    let context = |name: &&str| {
        format!(
            "resource \"spacelift_context\" \"{name}\" {{\n  name = \"{name}\"\n  description = \"{description}\"\n}}\n"
        )
    };
    names.iter().map(context).collect()
}

/// What the store holds of its objects, and of the manager runs with their commits.
fn recorded(data: &Path) -> Vec<String> {
    let store = rusqlite::Connection::open(data.join("dayfly.db")).unwrap();
    let rows = |query: &str| -> Vec<String> {
        let mut statement = store.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    [
        "SELECT address || phase || attributes || file || line || calls.calls
             FROM object JOIN calls ON calls.number = object.calls ORDER BY address",
        "SELECT commit_id || changes FROM manager_run ORDER BY id",
        "SELECT commit_id FROM owner WHERE commit_id IS NOT NULL",
        "SELECT commit_id || basis || shared || unsettled FROM evaluated",
    ]
    .map(rows)
    .concat()
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

fn killer(scene: &Scene) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/support/killer.c");
    let library = scene.world.path("killer.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
    assert!(compiler.arg(source).arg("-ldl").status().unwrap().success());
    library
}

/// An apply that the killer ends at a step.
fn killed(scene: &Scene, killer: &Path, at: usize, is_torn: bool) -> Output {
    let mut command = scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
    command.args(["apply", "--manager", &scene.manager.url, "--data-dir"]);
    command.arg(scene.world.path("data"));
    command.env("LD_PRELOAD", killer);
    command.env("KILL_FILE", "dayfly.db").env("KILL_FROM", MARK);
    command.env("KILL_AT", at.to_string());
    if is_torn {
        command.env("KILL_TORN", "1");
    }
    command.output().unwrap()
}

/// From a copy of `kept`, dayfly is killed at each step on the way to what is recorded now.
fn is_old_or_new_at_each_step(scene: &Scene, killer: &Path, kept: &Path) {
    let data = scene.world.path("data");
    let new = recorded(&data);
    let old = recorded(kept);
    assert_ne!(old, new);
    let mut outcomes = Vec::new();
    'torn: for is_torn in [false, true] {
        for at in 0.. {
            copy(kept, &data);
            let output = killed(scene, killer, at, is_torn);
            let now = recorded(&data);
            if output.status.success() {
                assert_eq!(now, new);
                continue 'torn;
            }
            let ended = output.status.signal();
            assert_eq!(ended, Some(SIGKILL), "{at}: {output:?}");
            let is_old = now == old;
            assert!(is_old || now == new, "killed at step {at}: {now:#?}");
            outcomes.push((is_torn, at, is_old));
            assert!(at < 1000, "it does not come to an end");
        }
    }
    // It was killed before the commit and after it, within writes and between them.
    let kinds: BTreeSet<_> = outcomes
        .iter()
        .map(|(torn, _, old)| (*torn, *old))
        .collect();
    assert_eq!(kinds.len(), 4, "{outcomes:?}");
    let before = outcomes.iter().filter(|(torn, _, is_old)| !torn && *is_old);
    assert!(before.count() > 2, "{outcomes:?}");

    // What was cut off is done by the next apply.
    copy(kept, &data);
    scene.apply().succeeded();
    assert_eq!(recorded(&data), new);
}

#[test]
fn records_are_old_or_new_whenever_it_is_killed() {
    let scene = Scene::new();
    let killer = killer(&scene);
    let commit = |text: &str| scene.manager.commit("main", &[("contexts.tf", text)]);
    let first = commit(&contexts(&["goes", "stays", "changes"], "as it was"));
    scene.apply().succeeded();
    let (data, kept) = (scene.world.path("data"), scene.world.path("kept"));
    copy(&data, &kept);
    let text = contexts(&["stays"], "as it was") + &contexts(&["changes", "comes"], MARK);
    let second = commit(&text);
    scene.apply().succeeded();
    assert!(recorded(&kept).contains(&first) && recorded(&data).contains(&second));
    is_old_or_new_at_each_step(&scene, &killer, &kept);
}

#[test]
fn first_records_are_none_or_all_whenever_it_is_killed() {
    let scene = Scene::new();
    let killer = killer(&scene);
    let text = contexts(&["comes"], MARK);
    scene.manager.commit("main", &[("contexts.tf", &text)]);
    let (data, kept) = (scene.world.path("data"), scene.world.path("kept"));
    // Before the first of its records the directory has become the owner.
    killed(&scene, &killer, 0, false);
    copy(&data, &kept);
    assert_eq!(recorded(&kept), Vec::<String>::new());
    scene.apply().succeeded();
    is_old_or_new_at_each_step(&scene, &killer, &kept);
}
