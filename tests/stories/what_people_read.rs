//! What people read: help, plans, tables. A change here is seen in review.

use crate::support::{PullRequest, Scene, World};

#[test]
fn help() {
    let world = World::new();
    let mut all = String::new();
    for arguments in [
        &["--help"][..],
        &["init", "--help"],
        &["service", "add", "--help"],
        &["env", "--help"],
        &["env", "id", "--help"],
        &["env", "upsert", "--help"],
        &["env", "delete", "--help"],
        &["env", "extend", "--help"],
        &["env", "pin", "--help"],
        &["env", "unpin", "--help"],
        &["event", "--help"],
        &["sweep", "--help"],
        &["validate", "--help"],
        &["plan", "--help"],
        &["apply", "--help"],
        &["status", "--help"],
        &["runs", "--help"],
        &["runs", "show", "--help"],
        &["runs", "confirm", "--help"],
        &["logs", "--help"],
        &["stack", "--help"],
        &["stack", "lock", "--help"],
        &["stack", "propose", "--help"],
        &["stack", "destroy", "--help"],
        &["stack", "forget", "--help"],
        &["policy", "test", "--help"],
        &["policy", "eval", "--help"],
        &["policy", "check", "--help"],
        &["policy", "input", "--help"],
        &["demo", "--help"],
    ] {
        let said = world.dayfly(arguments).succeeded().stdout;
        all.push_str(&format!("$ dayfly {}\n{said}\n", arguments.join(" ")));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn plan_and_tables() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    let mut all = scene.plan().succeeded().stdout;
    scene.apply_with(&["--parallelism", "1"]).succeeded();
    scene.event("synchronize", &pull_request.at(&"b".repeat(40)));
    all.push_str(&scene.plan().succeeded().stdout);
    scene.apply().succeeded();
    scene.event("closed", &pull_request);
    all.push_str(&scene.plan().succeeded().stdout);
    all.push_str(&scene.dayfly(&["env", "list"]).succeeded().stdout);
    let tables = [
        scene.data(&["status"]).succeeded(),
        scene.data(&["runs"]).succeeded(),
    ];
    // Commits differ from run to run: the infra repository's are made now.
    let tip = scene.infra.tip("main").unwrap();
    for table in tables {
        all.push_str(&table.stdout.replace(&tip[..8], "TIPTIPTI"));
    }
    let commit = |line: &str| match line.split_once("for ") {
        Some((before, _)) if line.contains("trigger policy") => format!("{before}for COMMIT"),
        _ => line.to_owned(),
    };
    let all: Vec<String> = all.lines().map(commit).collect();
    insta::assert_snapshot!(all.join("\n"));
}
