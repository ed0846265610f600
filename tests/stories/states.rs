//! The states that dayfly keeps: none is lost, and each can be gone back to.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{PullRequest, SERVICE_10, Scene};

const STACK_10: &str = "hello-service-ca6d5eab";

fn file(scene: &Scene) -> PathBuf {
    scene.states().join(STACK_10).join("terraform.tfstate")
}

fn versions(scene: &Scene) -> Vec<Value> {
    let listed = scene.data(&["state", "list", STACK_10, "--output", "json"]);
    listed.succeeded().json()["versions"]
        .as_array()
        .unwrap()
        .clone()
}

fn numbers(scene: &Scene) -> Vec<u64> {
    let numbers = versions(scene).into_iter();
    numbers
        .map(|kept| kept["version"].as_u64().unwrap())
        .collect()
}

fn opened() -> Scene {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    scene
}

fn last_note(scene: &Scene) -> String {
    let runs = scene.data(&["runs", "--output", "json", "--stack", STACK_10]);
    runs.json()[0]["note"].as_str().unwrap().to_owned()
}

#[test]
fn each_run_leaves_a_version_that_can_be_gone_back_to() {
    let scene = opened();
    let first = fs::read_to_string(file(&scene)).unwrap();
    scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    scene.apply().succeeded();
    let kept = versions(&scene);
    assert_eq!(numbers(&scene), [2, 1]);
    assert!(
        kept[0]["cause"].as_str().unwrap().starts_with("run "),
        "{kept:?}"
    );
    assert_eq!(kept[0]["resources"], 1, "{kept:?}");
    let pulled = scene.data(&["state", "pull", STACK_10, "--version", "1"]);
    assert_eq!(pulled.succeeded().stdout, first);
    let newest = scene.data(&["state", "pull", STACK_10]).succeeded().stdout;
    assert_eq!(newest, fs::read_to_string(file(&scene)).unwrap());

    let back = ["state", "rollback", STACK_10, "--version", "1"];
    scene.data(&back).succeeded();
    assert_eq!(numbers(&scene), [3, 2, 1]);
    let state: Value = serde_json::from_str(&fs::read_to_string(file(&scene)).unwrap()).unwrap();
    let was: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(state["resources"], was["resources"]);
    let serial = |state: &Value| state["serial"].as_u64().unwrap();
    assert!(serial(&state) > serial(&serde_json::from_str(&newest).unwrap()));

    for (arguments, word) in [
        (
            ["state", "rollback", STACK_10, "--version", "9"],
            "no version 9",
        ),
        (
            ["state", "pull", STACK_10, "--version", "9"],
            "no version 9",
        ),
        (
            ["state", "rollback", "nothing", "--version", "1"],
            "no stack nothing",
        ),
    ] {
        let refused = scene.data(&arguments).exited(2);
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    assert_eq!(scene.page(SERVICE_10), None);
    scene.data(&["state", "list", STACK_10]).exited(2);
}

#[test]
fn state_whose_plan_waits_is_not_gone_back_from() {
    let scene = opened();
    scene.edit(
        "hello-service/template/main.tf",
        "autodeploy = true",
        "autodeploy = false",
    );
    scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    scene.apply().succeeded();
    let refused = scene
        .data(&["state", "rollback", STACK_10, "--version", "1"])
        .exited(1);
    for word in ["holds stack", "is UNCONFIRMED", "dayfly runs discard"] {
        assert!(refused.stderr.contains(word), "{word}: {}", refused.stderr);
    }
    assert_eq!(numbers(&scene), [1]);
}

#[test]
fn what_the_store_does_not_know_is_newer_and_taken_up() {
    let scene = opened();
    let mut state: Value =
        serde_json::from_str(&fs::read_to_string(file(&scene)).unwrap()).unwrap();
    state["serial"] = json!(70);
    fs::write(file(&scene), state.to_string()).unwrap();
    assert_eq!(numbers(&scene), [2, 1]);
    assert_eq!(versions(&scene)[0]["serial"], 70);
    // A state that Terraform could not store comes before the file, and only if it is newer.
    for (serial, expected) in [(69, vec![2, 1]), (71, vec![3, 2, 1])] {
        state["serial"] = json!(serial);
        let beside = file(&scene).with_extension(format!("tfstate.errored-{serial}"));
        fs::write(&beside, state.to_string()).unwrap();
        assert_eq!(numbers(&scene), expected);
        assert_eq!(beside.exists(), serial == 69);
    }
    assert_eq!(fs::read_to_string(file(&scene)).unwrap(), state.to_string());
    // What it knows as older gives way: so a rollback that was cut off is ended.
    let old = scene.data(&["state", "pull", STACK_10, "--version", "1"]);
    fs::write(file(&scene), old.succeeded().stdout).unwrap();
    assert_eq!(numbers(&scene), [3, 2, 1]);
    assert_eq!(fs::read_to_string(file(&scene)).unwrap(), state.to_string());
}

#[test]
fn state_that_a_run_found_by_itself_is_kept_before_the_run() {
    let scene = opened();
    let mut state: Value =
        serde_json::from_str(&fs::read_to_string(file(&scene)).unwrap()).unwrap();
    state["serial"] = json!(70);
    fs::write(file(&scene), state.to_string()).unwrap();
    scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    scene.apply().succeeded();
    let serials: Vec<Value> = versions(&scene)
        .iter()
        .map(|kept| kept["serial"].clone())
        .collect();
    assert_eq!(serials.len(), 3, "{serials:?}");
    assert_eq!(serials[1], 70);
}

#[test]
fn lost_file_comes_back_from_the_store() {
    let scene = opened();
    assert!(scene.page(SERVICE_10).is_some());
    fs::remove_dir_all(scene.states()).unwrap();
    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    assert_eq!(scene.page(SERVICE_10), None);
}

#[test]
fn file_that_was_not_written_to_its_end_stops_the_run() {
    let scene = opened();
    fs::write(file(&scene), "").unwrap();
    scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    scene.apply().exited(1);
    let note = last_note(&scene);
    assert!(note.contains("was not written to its end"), "{note}");
    assert!(scene.page(SERVICE_10).unwrap().starts_with("aaaa"));
    let pulled = scene.data(&["state", "pull", STACK_10]).succeeded();
    assert!(pulled.stdout.contains("terraform_data"));
    scene
        .data(&["state", "rollback", STACK_10, "--version", "1"])
        .succeeded();
    scene.apply().succeeded();
    assert!(scene.page(SERVICE_10).unwrap().starts_with("bbbb"));
}
