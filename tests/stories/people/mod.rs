//! What people tell runs and stacks, with an apply at work and without.

mod followed;
mod runs;
mod stacks;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Output, PullRequest, SERVICE_10, Scene};

const STACK_10: &str = "hello-service-ca6d5eab";
const TEMPLATE: &str = "hello-service/template/main.tf";

/// Waits until it is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A scene whose previews wait for a person.
fn reviewed() -> Scene {
    let scene = Scene::new();
    scene.edit(TEMPLATE, "autodeploy = true", "autodeploy = false");
    scene
}

/// The preview's runs, newest first.
fn runs(scene: &Scene) -> Vec<Value> {
    let listed = scene.data(&["runs", "--output", "json", "--stack", STACK_10]);
    listed.succeeded().json().as_array().unwrap().clone()
}

fn last(scene: &Scene) -> (String, String, String) {
    let run = runs(scene).remove(0);
    let text = |name: &str| run[name].as_str().unwrap_or_default().to_owned();
    (text("id"), text("state"), text("note"))
}

fn states(scene: &Scene, run: &str) -> String {
    let shown = scene
        .data(&["runs", "show", run, "--output", "json"])
        .json();
    let states = shown["states"].as_array().unwrap();
    let words: Vec<&str> = states.iter().map(|state| state.as_str().unwrap()).collect();
    words.join(" ")
}

/// An apply in a process of its own.
fn spawn(scene: &Scene) -> Child {
    let mut command = scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
    command
        .args(["apply", "--manager", &scene.manager.url, "--data-dir"])
        .arg(scene.world.path("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A hook of the preview's stacks that says that it has begun, and waits for the gate.
fn gated(scene: &Scene, hook: &str) {
    let script = format!(
        "touch {0}/started; while [ ! -e {0}/gate ]; do sleep 0.05; done",
        scene
            .world
            .path("")
            .display()
            .to_string()
            .trim_end_matches('/')
    );
    scene.edit(
        TEMPLATE,
        "autodeploy = ",
        &format!("{hook} = [\"{script}\"]\n  autodeploy = "),
    );
}

fn started(scene: &Scene) -> bool {
    scene.world.path("started").exists()
}

fn refused(output: Output, words: &[&str]) {
    let output = output.exited(1);
    for word in words {
        assert!(output.stderr.contains(word), "{word}: {}", output.stderr);
    }
}
