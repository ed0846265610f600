//! Bad input gets one clear error: what, where, what to do, and the exit code of its kind.

use crate::support::{PullRequest, SERVICE_10, Scene, World};

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
            .contains("hello-service-10-ca6d5eab.spacelift_stack.this will be created")
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

#[test]
fn a_plain_directory_has_no_environments() {
    let scene = Scene::new();
    let plain = scene.world.path("plain");
    std::fs::create_dir(&plain).unwrap();
    for command in [&["env", "list"][..], &["env", "show", "ca6d5eab"]] {
        let mut arguments = command.to_vec();
        arguments.extend(["--manager", plain.to_str().unwrap()]);
        let refused = scene.world.dayfly(&arguments).exited(2);
        insta::allow_duplicates! {
            insta::assert_snapshot!(said(&scene, &refused.stderr), @r"
            error: /world/plain is a plain directory, no manager repository
              hint: --manager takes the path or the URL of a Git repository; `dayfly init` makes one
            ");
        }
    }
}

#[test]
fn no_id_is_a_path() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    let file = Scene::file(&pull_request, SERVICE_10);
    let text = scene.manager.read("main", &file).unwrap();
    let hostile = text.replace("\"ca6d5eab\"", "\"a/../../../x\"");
    assert_ne!(hostile, text);
    scene.manager.commit("main", &[(&file, &hostile)]);
    let validated = scene.dayfly(&["validate"]).exited(1);
    let wanted = "\"hello-service-a/../../../x\" cannot be the slug of";
    assert!(
        validated.stderr.contains(wanted) && validated.stderr.contains("template/main.tf:"),
        "{}",
        validated.stderr
    );
    let applied = scene.apply().exited(1);
    assert_eq!(
        Scene::runs_of(&applied),
        ["hello-service-common TRACKED FINISHED"]
    );
}

/// Whether a CI would take one of the lines for a command of its own.
fn commands_a_ci(stderr: &str) -> bool {
    stderr
        .lines()
        .any(|line| line.trim_start().starts_with("::"))
}

#[test]
fn input_never_begins_a_line() {
    let scene = Scene::new();
    for arguments in [
        &["env", "show", "x\n::error::boom"][..],
        &["validate", "--branch", "\r::error::boom"],
        &["x\u{1b}[2J"],
        &["logs", "\u{202e}7"],
    ] {
        let refused = scene.world.dayfly(arguments).exited(2);
        assert!(
            refused.stderr.contains("holds a control character"),
            "{}",
            refused.stderr
        );
        assert!(!commands_a_ci(&refused.stderr), "{}", refused.stderr);
        assert!(!refused.stderr.contains(['\u{1b}', '\u{202e}', '\r']));
    }
    // What reaches it by another way is told, escaped.
    let mut command = scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
    command
        .env("DAYFLY_MANAGER", "nowhere\n::error::boom")
        .args(["validate"]);
    let refused = command.output().unwrap();
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(stderr.contains("nowhere\\n::error::boom"), "{stderr}");
    assert!(!commands_a_ci(&stderr), "{stderr}");
    let extra = "resource \"spacelift_context\" \"x\" {\n  name = \"x\"\n  lifecycle {\n    precondition {\n      condition     = false\n      error_message = \"a\\n::error::boom\\u001b[2J.\"\n    }\n  }\n}\n";
    scene.manager.commit("main", &[("extra.tf", extra)]);
    let validated = scene.dayfly(&["validate"]).exited(1);
    let stderr = &validated.stderr;
    assert!(stderr.contains("::error::boom\\u{1b}[2J"), "{stderr}");
    assert!(!commands_a_ci(stderr), "{stderr}");
}

#[test]
fn a_broken_policy_names_its_rego_file() {
    let scene = Scene::new();
    let path = "hello-service/policies/push.rego";
    let text = scene.manager.read("main", path).unwrap();
    let broken = format!("{text}\ntrack if nonsense(1)\n\nignore if other_nonsense(2)\n");
    let line = broken.lines().count() - 2;
    scene.manager.commit("main", &[(path, &broken)]);
    let wanted = [
        format!("error: {path}:{line}:"),
        format!("error: {path}:{}:", line + 2),
    ];
    for said in [scene.dayfly(&["validate"]), scene.plan()] {
        let stderr = said.exited(1).stderr;
        for place in &wanted {
            assert!(stderr.contains(place), "{stderr}");
        }
        assert!(stderr.contains("policy hello-service-push cannot be used: "));
    }
    // A text that stands in no file is told of where the resource is.
    let module = "hello-service/main.tf";
    let text = scene.manager.read("main", module).unwrap();
    let inline = text.replace(
        "file(\"${path.module}/policies/push.rego\")",
        "\"nonsense\"",
    );
    assert_ne!(inline, text);
    scene.manager.commit("main", &[(module, &inline)]);
    let stderr = scene.dayfly(&["validate"]).exited(1).stderr;
    assert!(
        stderr.contains(&format!("error: {module}: policy")),
        "{stderr}"
    );
}

#[test]
fn hints_say_what_to_do() {
    let scene = Scene::new();
    let nobody = "http://127.0.0.1:1/acme/previews.git";
    let refused = scene
        .world
        .dayfly(&["env", "list", "--manager", nobody])
        .exited(5);
    assert!(
        refused
            .stderr
            .contains("hint: check the address, the network and your access"),
        "{}",
        refused.stderr
    );
    let path = "hello-service/service.hcl";
    scene.manager.commit("main", &[(path, "source {\n")]);
    let refused = scene
        .event_output("opened", &PullRequest::service())
        .exited(2);
    assert!(
        refused
            .stderr
            .contains("hint: mend the file in the manager repository, then run this again"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_checkout_is_read_at_its_last_commit() {
    let scene = Scene::new();
    let checkout = scene.world.clone_of(&scene.manager, "checkout");
    let validate = ["validate", "--manager", checkout.to_str().unwrap()];
    let told = scene.world.dayfly(&validate).succeeded();
    assert_eq!(told.stderr, "");
    assert_eq!(
        told.stdout,
        "valid: 0 environments, 1 stack, 0 errors, 0 warnings\n"
    );
    std::fs::write(checkout.join("main.tf"), "nonsense").unwrap();
    let told = scene.world.dayfly(&validate).succeeded();
    assert!(
        told.stderr
            .starts_with("note: what was read is the last commit"),
        "{}",
        told.stderr
    );
}
