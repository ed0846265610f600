//! The demo tells the truth, and what it tells to do by hand works.

use std::fs;

use crate::support::World;

#[test]
fn demo_ends_with_nothing_left() {
    let world = World::new();
    let told = world.dayfly(&["demo", "--keep", "play"]).succeeded();
    assert!(
        told.stdout.contains("nothing is left of either"),
        "{}",
        told.stdout
    );
    let lines = told.stdout.lines().count();
    assert!((20..=90).contains(&lines), "{lines} lines");
    let pages = fs::read_dir(world.path("play/pages")).unwrap().count();
    assert_eq!(pages, 0);
    for repository in ["service", "infra", "manager"] {
        let path = world.path("play").join(repository);
        assert_eq!(
            world.git(&path, &["symbolic-ref", "HEAD"]).trim(),
            "refs/heads/main"
        );
    }
    // Other commands work on what was kept; another data directory must say that it takes it over.
    let manager = world.path("play/manager");
    let manager = ["apply", "--manager", manager.to_str().unwrap()];
    let apply = |more: &[&str]| world.dayfly(&[&manager, more].concat());
    apply(&["--data-dir", "play/data"]).succeeded();
    apply(&["--data-dir", "elsewhere"]).exited(3);
    apply(&["--data-dir", "elsewhere", "--take-over"]).succeeded();
    world.dayfly(&["demo", "--keep", "play"]).exited(2);
}

#[test]
fn demo_that_stays_can_be_gone_on_with() {
    let world = World::new();
    let told = world
        .dayfly(&["demo", "--keep", "a play's", "--stay"])
        .succeeded();
    let commands: Vec<&str> = told
        .stdout
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("dayfly "))
        .collect();
    assert_eq!(commands.len(), 5, "{}", told.stdout);
    assert_eq!(
        fs::read_dir(world.path("a play's/pages")).unwrap().count(),
        2
    );
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_dayfly"));
    std::os::unix::fs::symlink(binary, world.path("bin/dayfly")).unwrap();
    let said: Vec<String> = commands
        .iter()
        .map(|command| {
            let ended = world.command("sh").args(["-c", command]).output().unwrap();
            let stdout = String::from_utf8(ended.stdout).unwrap();
            let stderr = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success(), "{command}\n{stdout}\n{stderr}");
            stdout
        })
        .collect();
    assert!(
        said[0].contains("module \"acme-hello-service-10-"),
        "{}",
        said[0]
    );
    assert!(
        said[1].contains("spacelift_environment_variable.input[\"code_version\"] must be replaced"),
        "{}",
        said[1]
    );
    assert!(said[2].contains("FINISHED"), "{}", said[2]);
    assert!(said[3].contains("hello-service-ca6d5eab"), "{}", said[3]);
    assert!(said[4].contains("DESTROY"), "{}", said[4]);
    assert_eq!(
        fs::read_dir(world.path("a play's/pages")).unwrap().count(),
        1
    );
}

#[test]
fn demo_for_machines_is_one_document() {
    let world = World::new();
    let told = world
        .dayfly(&["demo", "--output", "json"])
        .succeeded()
        .json();
    assert_eq!(told["steps"].as_array().unwrap().len(), 10);
    assert!(!std::path::Path::new(told["directory"].as_str().unwrap()).exists());
}

#[test]
fn demo_without_a_tool_tells_nothing() {
    let world = World::new();
    let bin = world.path("bin");
    for tool in ["terraform", "tofu"] {
        let _ = fs::remove_file(bin.join(tool));
    }
    let refused = world.dayfly(&["demo", "--keep", "play"]).exited(5);
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("hint:"), "{}", refused.stderr);
    assert!(!world.path("play").exists());
}
