//! A crash at any instant loses nothing and guesses nothing.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::{PullRequest, SERVICE_10, Scene};

const STACK_10: &str = "hello-service-ca6d5eab";

/// Waits until it is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn crash_mid_apply() {
    let scene = Scene::new();
    // An apply that does not end before it is told to.
    let module = scene.infra.read("main", "main.tf").unwrap();
    let gate = scene.world.path("gate");
    let started = scene.world.path("started");
    let slow = format!(
        "{module}\nresource \"terraform_data\" \"slow\" {{\n  depends_on = [terraform_data.page]\n  provisioner \"local-exec\" {{\n    command = \"touch {}; while [ ! -e {} ]; do sleep 0.05; done\"\n  }}\n}}\n",
        started.display(),
        gate.display()
    );
    scene.infra.commit("main", &[("main.tf", &slow)]);
    scene.event("opened", &PullRequest::service());

    let data = scene.world.path("data");
    let mut command = scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
    command
        .args(["apply", "--manager", &scene.manager.url, "--data-dir"])
        .arg(&data)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    wait_until("the apply", || started.exists());
    // Another one may not work on the same directory meanwhile.
    let second = scene.apply().exited(5);
    assert!(second.stderr.contains("in use"), "{}", second.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
    fs::write(&gate, "").unwrap();

    let applied = scene.apply().succeeded();
    let runs = scene.data(&["runs", "--output", "json"]).succeeded().json();
    let interrupted: Vec<_> = runs
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["note"] == "interrupted")
        .collect();
    assert!(!interrupted.is_empty(), "{runs}");
    assert!(
        interrupted.iter().all(|run| run["state"] == "FAILED"),
        "{runs}"
    );
    assert!(
        Scene::runs_of(&applied)
            .iter()
            .all(|run| run.ends_with("FINISHED"))
    );
    assert!(scene.page(SERVICE_10).is_some());

    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    assert_eq!(scene.page(SERVICE_10), None);
    assert_eq!(scene.stacks(), ["hello-service-common"]);
}

#[test]
fn terraform_that_outlives_its_dayfly_is_waited_for() {
    let scene = Scene::new();
    let module = scene.infra.read("main", "main.tf").unwrap();
    let path = |name: &str| scene.world.path(name).display().to_string();
    let (ledger, gate, started) = (path("ledger"), path("gate"), path("started"));
    // Words after the gate: whoever has no reader any more must be able to say them.
    let slow = format!(
        r#"{module}
resource "terraform_data" "slow" {{
  depends_on = [terraform_data.page]
  provisioner "local-exec" {{
    command = "echo slow >> {ledger}; touch {started}; while [ ! -e {gate} ]; do sleep 0.05; done; seq 3000"
  }}
}}
resource "terraform_data" "last" {{
  depends_on = [terraform_data.slow]
  provisioner "local-exec" {{
    command = "echo last >> {ledger}"
  }}
}}
"#
    );
    scene.infra.commit("main", &[("main.tf", &slow)]);
    scene.event("opened", &PullRequest::service());
    let apply = || {
        let mut command = scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
        command
            .args(["apply", "--manager", &scene.manager.url, "--data-dir"])
            .arg(scene.world.path("data"))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        command.spawn().unwrap()
    };
    let mut first = apply();
    wait_until("the apply", || scene.world.path("started").exists());
    first.kill().unwrap();
    first.wait().unwrap();

    let mut second = apply();
    let last_note = || {
        let runs = scene.data(&["runs", "--output", "json", "--stack", STACK_10]);
        runs.json()[0]["note"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    wait_until("the wait", || {
        last_note().starts_with("waits for what a killed dayfly")
    });
    // Nor does a person touch its state meanwhile.
    let refused = scene
        .data(&["state", "rollback", STACK_10, "--version", "1"])
        .exited(1);
    assert!(refused.stderr.contains("holds stack"), "{refused:?}");
    fs::write(scene.world.path("gate"), "").unwrap();
    assert!(second.wait().unwrap().success());
    let ledger = fs::read_to_string(scene.world.path("ledger")).unwrap();
    assert_eq!(ledger, "slow\nlast\n");
    assert!(scene.page(SERVICE_10).is_some());
    let runs = scene.data(&["runs", "--output", "json", "--stack", STACK_10]);
    let runs = runs.succeeded().json();
    assert_eq!(runs[0]["state"], "FINISHED", "{runs}");
    assert_eq!(runs[1]["note"], "interrupted", "{runs}");

    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    assert_eq!(scene.page(SERVICE_10), None);
}
