//! `dayfly plan`: exit codes, and one commit against another.

use crate::support::{PullRequest, Scene, World};

/// `dayfly plan` with the store of the scene.
fn plan(scene: &Scene, more: &[&str]) -> crate::support::Output {
    let mut arguments = vec!["plan", "--manager", &scene.manager.url];
    arguments.extend(more);
    scene.data(&arguments)
}

#[test]
fn exit_code_tells_changes_where_it_is_asked_to() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    plan(&scene, &[]).exited(0);
    plan(&scene, &["--detailed-exitcode"]).exited(2);
    scene.apply().succeeded();
    let nothing = plan(&scene, &["--detailed-exitcode"]).exited(0);
    assert_eq!(
        nothing.stdout,
        "No changes. What is recorded is what the manager repository says.\n"
    );
    // 2 never means anything else.
    plan(&scene, &["--detailed-exitcode", "--nonsense"]).exited(1);
    plan(&scene, &["--detailed-exitcode", "--against", "main"]).exited(1);
    plan(&scene, &["--against", "main"]).exited(2);
    let file = "hello-service/environments/bad.tf";
    scene.manager.commit("main", &[(file, "module {")]);
    plan(&scene, &["--detailed-exitcode"]).exited(1);
}

#[test]
fn two_commits_are_compared_without_a_store() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    scene.event("synchronize", &pull_request.at(&"b".repeat(40)));
    let clone = scene.world.clone_of(&scene.manager, "clone");
    let at = clone.to_str().unwrap();
    let against = |commit: &str, more: &[&str]| {
        let mut arguments = vec!["plan", "--manager", at, "--against", commit];
        arguments.extend(more);
        scene.world.dayfly(&arguments)
    };
    let planned = against("HEAD^", &["--detailed-exitcode"]).exited(2);
    insta::assert_snapshot!(planned.stdout);
    let told = against("HEAD^", &["--output", "json"]).succeeded().json();
    let change = &told["changes"][0];
    assert_eq!(change["action"], "replaced");
    assert_eq!(change["forces_replacement"][0], "value");
    assert_eq!(change["before"]["value"], "a".repeat(40));
    assert_eq!(change["after"]["value"], "b".repeat(40));
    assert_eq!(told["changes"].as_array().unwrap().len(), 1);
    against("HEAD", &["--detailed-exitcode"]).exited(0);
    against("HEAD~2", &["--detailed-exitcode"]).exited(2);
    assert!(
        !scene.world.path("home/.local").exists(),
        "no store was made"
    );

    let gone = against(&"d".repeat(40), &[]).exited(2);
    assert!(
        gone.stderr.contains("is no commit that is in"),
        "{}",
        gone.stderr
    );
    scene.world.git(
        &scene.world.path(""),
        &[
            "clone",
            "--quiet",
            "--depth=1",
            &scene.manager.url,
            "shallow",
        ],
    );
    let shallow = scene.world.path("shallow");
    let cut = scene
        .world
        .dayfly(&[
            "plan",
            "--manager",
            shallow.to_str().unwrap(),
            "--against",
            "HEAD^",
        ])
        .exited(2);
    assert!(
        cut.stderr.contains("git fetch --unshallow"),
        "{}",
        cut.stderr
    );
}

#[test]
fn mistakes_of_the_other_commit_are_told() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    let clone = scene.world.clone_of(&scene.manager, "clone");
    let main = clone.join("hello-service/template/main.tf");
    let text = std::fs::read_to_string(&main).unwrap();
    for (text, message) in [("resource {", "Break"), (&text, "Mend")] {
        std::fs::write(&main, text).unwrap();
        scene.world.git(
            &clone,
            &["commit", "--quiet", "--all", "--message", message],
        );
    }
    let at = clone.to_str().unwrap();
    let planned = scene
        .world
        .dayfly(&["plan", "--manager", at, "--against", "HEAD^"])
        .succeeded();
    assert!(
        planned.stderr.contains("of HEAD^ not all can be read"),
        "{}",
        planned.stderr
    );
}

#[test]
fn repository_written_for_spacelift_alone_is_planned() {
    let world = World::new();
    let manager = world.repository("manager");
    let main = r#"
terraform {
  required_providers {
    spacelift = {
      source = "spacelift-io/spacelift"
    }
  }
}

resource "spacelift_stack" "this" {
  name       = "one"
  repository = "infra"
  branch     = "main"
}

resource "spacelift_environment_variable" "region" {
  stack_id   = spacelift_stack.this.id
  name       = "TF_VAR_region"
  value      = "eu-central-1"
  write_only = false
}
"#;
    manager.commit("main", &[("main.tf", main)]);
    let validated = world
        .dayfly(&["validate", "--manager", &manager.url])
        .succeeded();
    assert_eq!(
        (validated.stdout.as_str(), validated.stderr.as_str()),
        ("valid: 0 environments, 1 stack, 0 errors, 0 warnings\n", "")
    );
    let planned = world
        .dayfly(&["plan", "--manager", &manager.url])
        .succeeded();
    assert_eq!(planned.stderr, "");
    insta::assert_snapshot!(planned.stdout);
    // Nobody said that dayfly applies it.
    let data = world.path("data");
    world
        .dayfly(&[
            "apply",
            "--manager",
            &manager.url,
            "--data-dir",
            data.to_str().unwrap(),
        ])
        .exited(2);
}
