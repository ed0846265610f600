//! Bad input gets one clear error: what, where, what to do, and the exit code of its kind.

use crate::support::{PullRequest, Scene, World};

/// What a program said, with the places that differ between worlds taken out.
fn said(scene: &Scene, stderr: &str) -> String {
    let root = scene.world.path("");
    let root = root.to_str().unwrap().trim_end_matches('/');
    stderr
        .replace(&scene.world.server.url(""), "http://server/")
        .replace(root, "/world")
}

#[test]
fn mistakes_of_the_call_exit_with_2() {
    let scene = Scene::new();
    let cases: &[(&[&str], &str)] = &[
        (
            &[
                "env",
                "upsert",
                "acme/x",
                "--head-sha",
                "abcd",
                "--head-branch",
                "x",
            ],
            "is no pull request",
        ),
        (
            &[
                "env",
                "upsert",
                "acme/x#1",
                "--head-sha",
                "nothex",
                "--head-branch",
                "x",
            ],
            "is no commit",
        ),
        (
            &[
                "env",
                "upsert",
                "acme/x#1",
                "--head-sha",
                "abcd",
                "--head-branch",
                "a..b",
            ],
            "is no branch name",
        ),
        (
            &[
                "env",
                "upsert",
                "acme/x#1",
                "--head-sha",
                "abcd",
                "--head-branch",
                "x",
            ],
            "no service takes pull requests of acme/x",
        ),
        (
            &["env", "list", "--service", "nobody"],
            "there is no service nobody",
        ),
        (
            &["env", "show", "acme/hello-service#99"],
            "there is no environment acme/hello-service#99",
        ),
        (
            &["env", "list", "--branch", "nowhere"],
            "has no branch nowhere",
        ),
        (
            &["event", "--event-name", "push", "--event-path", "/dev/null"],
            "is not about a pull request",
        ),
        (
            &[
                "event",
                "--event-name",
                "pull_request",
                "--event-path",
                "nowhere.json",
            ],
            "cannot read the event at nowhere.json",
        ),
    ];
    let tip = scene.manager.tip("main");
    for (arguments, message) in cases {
        let ended = scene.dayfly(arguments).exited(2);
        assert!(
            ended.stderr.contains(message),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    assert_eq!(scene.manager.tip("main"), tip);
}

#[test]
fn broken_configuration_names_file_and_line() {
    let scene = Scene::new();
    let cases = [
        (
            "hello-service/service.hcl",
            "source \"acme/hello-service\" {\n  nonsense(\n}\n",
            "service.hcl:",
        ),
        (
            "hello-service/service.hcl",
            "source \"acme/hello-service\" {}\nforks = 1\n",
            "service.hcl:2:1: `forks` is not known here",
        ),
        (
            "hello-service/service.hcl",
            "source \"acme/hello-service\" {\n  code_version = pull_request.nothing\n}\n",
            "service.hcl:2:",
        ),
        (
            "hello-service/environment.tf.tera",
            "module {{ module }} {\n  x = {{ nothing }}\n}\n",
            "environment.tf.tera",
        ),
        (
            "dayfly.hcl",
            "\nstack_manager = \"nobody\"\n",
            "dayfly.hcl:2:",
        ),
    ];
    for (path, text, place) in cases {
        let whole = scene.manager.read("main", path).unwrap();
        scene.manager.commit("main", &[(path, text)]);
        let validated = scene.dayfly(&["validate"]).exited(1);
        assert!(
            validated.stderr.contains(place),
            "{path}: {}",
            validated.stderr
        );
        if path != "dayfly.hcl" {
            let tip = scene.manager.tip("main");
            let refused = scene
                .event_output("opened", &PullRequest::service())
                .exited(2);
            assert!(refused.stderr.contains(place), "{path}: {}", refused.stderr);
            assert_eq!(scene.manager.tip("main"), tip, "nothing half-written");
        } else {
            let refused = scene.apply().exited(2);
            assert!(refused.stderr.contains(place), "{}", refused.stderr);
        }
        scene.manager.commit("main", &[(path, &whole)]);
    }
    scene.dayfly(&["validate"]).succeeded();
}

#[test]
fn unknown_resource_and_function_are_named() {
    let scene = Scene::new();
    let extra = "resource \"aws_acm_certificate\" \"x\" {}\n\nlocals {\n  y = nonsense(1)\n}\n\noutput \"y\" {\n  value = local.y\n}\n";
    scene
        .manager
        .commit("main", &[("hello-service/extra.tf", extra)]);
    let validated = scene.dayfly(&["validate"]).exited(1);
    let stderr = &validated.stderr;
    assert!(stderr.contains("hello-service/extra.tf:1:"), "{stderr}");
    assert!(stderr.contains("aws_acm_certificate"), "{stderr}");
    assert!(stderr.contains("common stack"), "{stderr}");
    assert!(stderr.contains("hello-service/extra.tf:4:"), "{stderr}");
    // It blocks nobody else.
    scene.event("opened", &PullRequest::service());
    let applied = scene.apply().exited(1);
    assert!(
        Scene::runs_of(&applied).contains(&"hello-service-ca6d5eab TRACKED FINISHED".to_owned())
    );
}

#[test]
fn what_cannot_be_reached_exits_with_5() {
    let scene = Scene::new();
    let manager = scene
        .world
        .server
        .url("acme/nowhere.git")
        .replace("http://", "http://x:geheim@");
    let refused = scene
        .world
        .dayfly(&["env", "list", "--manager", &manager])
        .exited(5);
    assert!(
        refused.stderr.contains("acme/nowhere.git"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("geheim"), "{}", refused.stderr);

    scene.event("opened", &PullRequest::service());
    std::fs::rename(&scene.infra.path, scene.world.path("away")).unwrap();
    let applied = scene.apply().exited(5);
    let note = applied.json()["runs"][0]["note"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(note.contains("acme/hello-infra.git"), "{note}");
    std::fs::rename(scene.world.path("away"), &scene.infra.path).unwrap();
    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied).len(),
        2,
        "the next apply tries again"
    );
}

#[test]
fn missing_tools_are_named() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    let bin = scene.world.path("bin");
    for tool in ["terraform", "tofu"] {
        let _ = std::fs::remove_file(bin.join(tool));
    }
    let refused = scene.apply().exited(5);
    assert!(refused.stderr.contains("terraform"), "{}", refused.stderr);
    assert!(refused.stderr.contains("tofu"), "{}", refused.stderr);
    let mut command = scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
    command
        .env("PATH", "/nowhere")
        .args(["env", "list", "--manager", &scene.manager.url]);
    let ended = command.output().unwrap();
    assert_eq!(ended.status.code(), Some(5));
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(
        stderr.contains("git") && stderr.contains("hint:"),
        "{stderr}"
    );
}

#[test]
fn spacelift_applies_what_is_spacelifts() {
    let scene = Scene::new();
    let settings = scene.manager.read("main", "dayfly.hcl").unwrap();
    let settings = settings.replace("\"dayfly\"", "\"spacelift\"");
    scene.manager.commit("main", &[("dayfly.hcl", &settings)]);
    scene.event("opened", &PullRequest::service());
    let refused = scene.apply().exited(2);
    assert!(
        refused.stderr.contains("stack_manager"),
        "{}",
        refused.stderr
    );
    assert!(
        scene
            .plan()
            .succeeded()
            .stdout
            .contains("+ stack hello-service-ca6d5eab")
    );
    scene.dayfly(&["validate"]).succeeded();
}

#[test]
fn data_directory_serves_one_manager() {
    let scene = Scene::new();
    scene.apply().succeeded();
    let settings = scene.manager.read("main", "dayfly.hcl").unwrap();
    let settings = settings.replace("acme/previews", "acme/others");
    scene.manager.commit("main", &[("dayfly.hcl", &settings)]);
    let refused = scene.apply().exited(2);
    assert!(
        refused.stderr.contains("belongs to acme/previews"),
        "{}",
        refused.stderr
    );
    assert_eq!(scene.stacks(), ["hello-service-common"]);
}

#[test]
fn an_error_reads_well() {
    let scene = Scene::new();
    let ended = scene.dayfly(&["env", "show", "acme/hello-service#99"]);
    insta::assert_snapshot!(said(&scene, &ended.stderr), @r"
    error: there is no environment acme/hello-service#99
      hint: `dayfly env list` shows them
    ");
    let world = World::new();
    let ended = world
        .dayfly(&["logs", "7", "--data-dir", "nowhere"])
        .exited(2);
    insta::assert_snapshot!(ended.stderr, @r"
    error: there is no run 7
      hint: `dayfly runs` lists them
    ");
}

#[test]
fn what_is_no_manager_repository_has_no_environments() {
    let scene = Scene::new();
    let infra = scene.infra.url.clone();
    let refused = scene
        .world
        .dayfly(&["env", "list", "--manager", &infra])
        .exited(2);
    assert!(
        refused.stderr.contains("no manager repository"),
        "{}",
        refused.stderr
    );
}
