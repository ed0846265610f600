//! Many writers, hostile names, and servers that refuse.

use crate::support::{INFRA, PullRequest, SERVICE, Scene, World};

#[test]
fn two_writers_race() {
    let scene = Scene::new();
    let sha = "a".repeat(40);
    let ids: Vec<String> = (1..=8)
        .map(|number| format!("{SERVICE}#{number}"))
        .collect();
    let commands: Vec<_> = ids
        .iter()
        .map(|id| {
            let mut command = scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
            command
                .args(["env", "upsert", id, "--manager", &scene.manager.url])
                .args(["--head-sha", &sha, "--head-branch", "feature"])
                .stdout(std::process::Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    for mut child in commands {
        assert!(child.wait().unwrap().success());
    }
    let listed = scene
        .dayfly(&["env", "list", "--output", "json"])
        .succeeded()
        .json();
    assert_eq!(
        listed.as_array().unwrap().len(),
        8,
        "each landed, none twice"
    );
    let opened = scene
        .manager
        .subjects("main")
        .iter()
        .filter(|s| s.contains("open"))
        .count();
    assert_eq!(opened, 8);
    assert_eq!(scene.manager.branches(), ["main"]);
}

#[test]
fn hostile_branch_names_are_data() {
    let scene = Scene::new();
    let names = [
        "x${file(\"/etc/passwd\")}",
        "a;rm",
        "%{if_true}b%{endif}",
        "$${x}",
        "quote\"here",
        "back`tick`",
        "ünï/cødé",
        "'single'",
        "a&b|c>d",
        "$(id)",
    ];
    for (number, name) in (1..).zip(names) {
        let outcome = scene.event("opened", &PullRequest::new(INFRA, number, "abcdef12", name));
        assert_eq!(outcome["action"], "created", "{name}");
        let shown = scene
            .dayfly(&[
                "env",
                "show",
                &format!("{INFRA}#{number}"),
                "--output",
                "json",
            ])
            .succeeded()
            .json();
        assert_eq!(shown["infra_repository_branch"], name);
    }
    scene.dayfly(&["validate"]).succeeded();
    let opened = scene.manager.subjects("main");
    assert_eq!(
        opened
            .iter()
            .filter(|subject| subject.contains(": open "))
            .count(),
        names.len()
    );
}

#[test]
fn what_a_person_added_stays() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    let outcome = scene.event("opened", &pull_request);
    let path = outcome["path"].as_str().unwrap();
    let text = scene.manager.read("main", path).unwrap();
    let edited = text.replace(
        "  service = var.service",
        "  # mine\n  service   =   var.service",
    );
    scene.manager.commit("main", &[(path, &edited)]);
    scene.event("synchronize", &pull_request.at(&"b".repeat(40)));
    let after = scene.manager.read("main", path).unwrap();
    let expected = edited
        .replace(&"a".repeat(40), &"b".repeat(40))
        .replace("T00:01:00Z", "T00:02:00Z");
    assert_eq!(after, expected);
}

#[test]
fn rules_say_who_gets_an_environment() {
    let scene = Scene::new();
    let fork = PullRequest {
        is_fork: true,
        ..PullRequest::service()
    };
    let outcome = scene.event("opened", &fork);
    assert_eq!(outcome["action"], "ignored");
    assert!(
        outcome["reason"].as_str().unwrap().contains("fork"),
        "{outcome}"
    );
    let bot = PullRequest::new(SERVICE, 3, "abcdef12", "dependabot/npm/x");
    assert_eq!(scene.event("opened", &bot)["action"], "ignored");
    let stranger = PullRequest::new("acme/unknown", 3, "abcdef12", "x");
    assert_eq!(scene.event("opened", &stranger)["action"], "ignored");

    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    let labeled = PullRequest {
        labels: vec!["no-preview".to_owned()],
        ..pull_request.clone()
    };
    let outcome = scene.event("labeled", &labeled);
    assert_eq!(outcome["action"], "deleted");
    assert!(
        outcome["reason"].as_str().unwrap().contains("no-preview"),
        "{outcome}"
    );
    assert_eq!(scene.event("unlabeled", &pull_request)["action"], "created");

    // A person's word skips the rules, but not the limit.
    let upsert = |number: u64| {
        let id = format!("{SERVICE}#{number}");
        scene.dayfly(&[
            "env",
            "upsert",
            &id,
            "--head-sha",
            "abcdef12",
            "--head-branch",
            "dependabot/x",
            "--output",
            "json",
        ])
    };
    assert_eq!(upsert(30).succeeded().json()["action"], "created");
    let rules = scene
        .manager
        .read("main", "hello-service/service.hcl")
        .unwrap();
    let rules = with_limit(&rules, 2);
    scene
        .manager
        .commit("main", &[("hello-service/service.hcl", &rules)]);
    let denied = upsert(31).exited(3).json();
    assert_eq!(denied["action"], "ignored");
    assert!(
        denied["reason"].as_str().unwrap().contains("limit"),
        "{denied}"
    );
}

/// The rules with another limit.
fn with_limit(rules: &str, limit: u64) -> String {
    let lines = rules.lines().map(|line| {
        let is_limit = line.trim_start().starts_with("limit");
        if is_limit {
            format!("  limit = {limit}")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn refused_push_says_why() {
    let scene = Scene::new();
    scene.manager.hook(
        "pre-receive",
        "#!/bin/sh\necho 'the branch is protected' >&2\nexit 1\n",
    );
    let refused = scene
        .event_output("opened", &PullRequest::service())
        .exited(5);
    assert!(
        refused.stderr.contains("the branch is protected"),
        "{}",
        refused.stderr
    );
}

#[test]
fn checkout_is_read_but_not_written() {
    let scene = Scene::new();
    let path = scene.world.path("previews");
    let path = path.to_str().unwrap();
    scene
        .world
        .dayfly(&["validate", "--manager", path])
        .succeeded();
    let upsert = [
        "env",
        "upsert",
        "acme/hello-service#1",
        "--head-sha",
        "abcdef12",
        "--head-branch",
        "x",
        "--manager",
        path,
    ];
    let refused = scene.world.dayfly(&upsert);
    assert_ne!(refused.status, 0);
    assert!(refused.stderr.contains("hint:"), "{}", refused.stderr);
    assert_eq!(
        scene
            .world
            .git(&scene.world.path("previews"), &["status", "--porcelain"]),
        ""
    );
}

/// A pull request of the service's repository under another name; its number is the same.
fn renamed(pull_request: &PullRequest) -> PullRequest {
    PullRequest {
        repository: "acme/renamed".to_owned(),
        ..pull_request.clone()
    }
}

#[test]
fn close_finds_its_environment_whatever_has_changed() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    // The repository was renamed, and service.hcl does not know it.
    assert_eq!(
        scene.event("closed", &renamed(&pull_request))["action"],
        "deleted"
    );
    assert_eq!(
        scene.event("closed", &renamed(&pull_request))["action"],
        "ignored"
    );

    // Its file cannot be read any more; it is known by its name.
    let path = scene.event("reopened", &pull_request)["path"]
        .as_str()
        .unwrap()
        .to_owned();
    scene
        .manager
        .commit("main", &[(&path, "module \"broken\" {")]);
    let refused = scene.event_output("synchronize", &pull_request).exited(2);
    assert!(refused.stderr.contains(&path), "{}", refused.stderr);
    let shown = scene
        .dayfly(&["env", "show", "acme/hello-service#10"])
        .exited(2);
    assert!(shown.stderr.contains(&path), "{}", shown.stderr);
    assert_eq!(scene.event("closed", &pull_request)["action"], "deleted");
    assert_eq!(scene.manager.read("main", &path), None);

    // A broken address is no reason to stay.
    scene.event("reopened", &pull_request);
    let rules = scene
        .manager
        .read("main", "hello-service/service.hcl")
        .unwrap();
    let broken = rules.replace("${environment.id}", "${nonsense}");
    scene
        .manager
        .commit("main", &[("hello-service/service.hcl", &broken)]);
    assert_eq!(scene.event("closed", &pull_request)["action"], "deleted");
}

#[test]
fn what_is_broken_blocks_nobody_else() {
    let scene = Scene::new();
    scene.manager.commit(
        "main",
        &[
            ("other/service.hcl", "source \"acme/other\" {"),
            ("hello-service/environments/note.tf", "module \"x\" {"),
        ],
    );
    assert_eq!(
        scene.event("opened", &PullRequest::service())["action"],
        "created"
    );
    let listed = scene.dayfly(&["env", "list", "--output", "json"]).exited(1);
    assert_eq!(listed.json().as_array().unwrap().len(), 1);
    assert!(
        listed.stderr.contains("other/service.hcl"),
        "{}",
        listed.stderr
    );
    // Nobody knows whose this is: the broken rules may take it.
    let stranger = PullRequest::new("acme/other", 3, "abcdef12", "x");
    let refused = scene.event_output("opened", &stranger).exited(2);
    assert!(
        refused.stderr.contains("other/service.hcl"),
        "{}",
        refused.stderr
    );
}

#[test]
fn file_made_by_hand_is_found_by_its_name() {
    let scene = Scene::new();
    let path = "hello-service/environments/acme-hello-service-9-0123abcd.tf";
    let text = "module \"acme-hello-service-9-0123abcd\" {\n  source = \"../template\"\n\n  environment = \"0123abcd\"\n}\n";
    scene.manager.commit("main", &[(path, text)]);
    let pull_request = PullRequest {
        number: 9,
        ..PullRequest::service()
    };
    let outcome = scene.event("synchronize", &pull_request);
    assert_eq!(
        (&outcome["action"], &outcome["path"]),
        (&"updated".into(), &path.into())
    );
    assert_eq!(outcome["environment"], "0123abcd");
    scene.event("closed", &pull_request);
    assert_eq!(scene.manager.read("main", path), None);
}

#[test]
fn another_spelling_is_no_news() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    let shouted = PullRequest {
        repository: "ACME/Hello-Service".to_owned(),
        ..pull_request
    };
    assert_eq!(scene.event("labeled", &shouted)["action"], "unchanged");
}

#[test]
fn template_says_what_it_must_and_keeps_to_itself() {
    let scene = Scene::new();
    let path = "hello-service/environment.tf.tera";
    let template = scene.manager.read("main", path).unwrap();
    let lines = template
        .lines()
        .filter(|line| !line.contains("  pull_request "));
    let without: String = lines.map(|line| format!("{line}\n")).collect();
    scene.manager.commit("main", &[(path, &without)]);
    let validated = scene.dayfly(&["validate"]).exited(1);
    assert!(
        validated.stderr.contains("must set `pull_request`"),
        "{}",
        validated.stderr
    );
    scene
        .event_output("opened", &PullRequest::service())
        .exited(2);

    // The template's own attributes are a person's to change; those with values are the writer's.
    let more = "  size = \"small\"\n  tags = [{{ code_version }}]\n\n  service = var.service";
    let template = template.replace("  service = var.service", more);
    scene.manager.commit("main", &[(path, &template)]);
    let pull_request = PullRequest::service();
    let outcome = scene.event("opened", &pull_request);
    let file = outcome["path"].as_str().unwrap();
    let text = scene
        .manager
        .read("main", file)
        .unwrap()
        .replace("\"small\"", "\"large\"");
    scene.manager.commit("main", &[(file, &text)]);
    assert_eq!(scene.event("labeled", &pull_request)["action"], "unchanged");
    scene.event("synchronize", &pull_request.at(&"b".repeat(40)));
    let text = scene.manager.read("main", file).unwrap();
    assert!(text.contains("size = \"large\""), "{text}");
    assert!(
        text.contains(&format!("tags = [\"{}\"]", "b".repeat(40))),
        "{text}"
    );
}

#[test]
fn generators_mend_what_failed_and_take_no_persons_work() {
    let world = World::new();
    let init = ["init", "previews", "--repository", "acme/previews"];
    world.git(&world.path(""), &["init", "--quiet", "previews"]);
    let lock = world.path("previews/.git/index.lock");
    std::fs::write(&lock, "").unwrap();
    assert_ne!(world.dayfly(&init).status, 0);
    std::fs::remove_file(&lock).unwrap();
    world.dayfly(&init).succeeded();
    let previews = world.path("previews");
    assert_eq!(world.git(&previews, &["status", "--porcelain"]), "");

    let nested = [
        "init",
        "x",
        "--repository",
        "acme/previews",
        "--setup",
        "x/setup",
    ];
    world.dayfly(&nested).exited(2);
    assert!(!world.path("x").exists());

    let add = [
        "service",
        "add",
        "hello",
        "--directory",
        "previews",
        "--service-repository",
        "acme/hello",
        "--infra-repository",
        "acme/infra",
        "--domain",
        "example.com",
    ];
    let main = previews.join("main.tf");
    let text = std::fs::read_to_string(&main).unwrap();
    std::fs::write(&main, format!("{text}\n# a thought\n")).unwrap();
    world.dayfly(&add).exited(2);
    assert!(!previews.join("hello").exists());
    std::fs::write(&main, text).unwrap();
    // What a failed commit left behind is committed the next time.
    let lock = previews.join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    assert_ne!(world.dayfly(&add).status, 0);
    std::fs::remove_file(&lock).unwrap();
    world.dayfly(&add).succeeded();
    assert_eq!(world.git(&previews, &["status", "--porcelain"]), "");
    let manager_stack = add.map(|word| if word == "hello" { "other" } else { word });
    let settings = previews.join("dayfly.hcl");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("\"previews\"", "\"other-common\"")).unwrap();
    let refused = world.dayfly(&manager_stack).exited(2);
    assert!(
        refused.stderr.contains("other-common"),
        "{}",
        refused.stderr
    );
}

#[test]
fn close_needs_no_rules() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    let rules = "hello-service/service.hcl";
    let whole = scene.manager.read("main", rules).unwrap();
    let other = whole
        .replace("hello-service", "other")
        .replace("hello-infra", "other-infra");

    // The repository is another service's by now.
    let moved = [
        (
            rules,
            whole.replace("\"acme/hello-service\"", "\"acme/gone\""),
        ),
        (
            "other/service.hcl",
            other.replace("\"acme/other\"", "\"acme/hello-service\""),
        ),
    ];
    // Its rules are broken, the whole file of them.
    let broken = [(rules, "source {".to_owned())];
    // Nobody takes it.
    let gone = [(
        rules,
        whole.replace("\"acme/hello-service\"", "\"acme/gone\""),
    )];
    for change in [&moved[..], &broken, &gone] {
        let path = scene.event("reopened", &pull_request)["path"].clone();
        let path = path.as_str().unwrap();
        let files: Vec<(&str, &str)> = change
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        scene.manager.commit("main", &files);
        assert_eq!(
            scene.event("closed", &pull_request)["action"],
            "deleted",
            "{change:?}"
        );
        assert_eq!(scene.manager.read("main", path), None);
        scene.manager.commit("main", &[(rules, &whole)]);
        if change.len() > 1 {
            scene.manager.remove("main", &["other/service.hcl"]);
        }
    }

    // A person's word finds it as well, and named with --service.
    for service in [&[][..], &["--service", "hello-service"]] {
        scene.event("reopened", &pull_request);
        scene.manager.commit("main", &[(rules, "source {")]);
        let mut delete = vec!["env", "delete", "acme/hello-service#10", "--output", "json"];
        delete.extend(service);
        assert_eq!(
            scene.dayfly(&delete).succeeded().json()["action"],
            "deleted"
        );
        scene.manager.commit("main", &[(rules, &whole)]);
    }
}

#[test]
fn file_of_another_pull_request_is_not_taken_along() {
    let scene = Scene::new();
    let directory = "hello-service/environments";
    // Number 2 of acme/hello-service-10, and a file that says so.
    let alike = format!("{directory}/acme-hello-service-10-2-0123abcd.tf");
    let foreign = format!("{directory}/acme-hello-service-10-89abcdef.tf");
    scene.manager.commit(
        "main",
        &[
            (&alike, "module \"m\" {"),
            (&foreign, "module \"m\" { # instead of \"acme/hello-service#10\"\n pull_request = \"acme/else#3\""),
        ],
    );
    let pull_request = PullRequest::service();
    assert_eq!(scene.event("closed", &pull_request)["action"], "absent");

    // One that two pull requests share can be neither written nor removed for one of them.
    let shared = format!("{directory}/shared.tf");
    let text = "module \"a\" {\n  pull_request = \"acme/hello-service#10\"\n}\nmodule \"b\" {\n  pull_request = \"acme/hello-service#11\"\n}\n";
    scene.manager.commit("main", &[(&shared, text)]);
    for action in ["reopened", "closed"] {
        let refused = scene.event_output(action, &pull_request).exited(2);
        assert!(
            refused.stderr.contains("shared.tf:4:1"),
            "{}",
            refused.stderr
        );
    }

    // By the repository's number, under another name, with bytes that are no text.
    scene.manager.remove("main", &[&shared]);
    let mine = format!("{directory}/mine.tf");
    let text = "module \"a\" {\n  pull_request = \"acme/old#10\"\n  repository_id = 77\n";
    scene.manager.commit("main", &[(&mine, text)]);
    let refused = scene.event_output("reopened", &pull_request).exited(2);
    assert!(refused.stderr.contains("mine.tf"), "{}", refused.stderr);
    assert_eq!(scene.event("closed", &pull_request)["path"], mine);
    let left = scene.manager.files("main");
    assert!(left.contains(&alike) && left.contains(&foreign), "{left:?}");
}

#[test]
fn late_close_does_not_end_what_was_reopened() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene.event_at(1, "opened", &pull_request).succeeded();
    // The close of the second minute is still on its way.
    let reopened = scene
        .event_at(3, "reopened", &pull_request)
        .succeeded()
        .json();
    assert_eq!(reopened["action"], "updated");
    let again = scene
        .event_at(3, "reopened", &pull_request)
        .succeeded()
        .json();
    assert_eq!(again["action"], "unchanged");
    let late = scene
        .event_at(2, "closed", &pull_request)
        .succeeded()
        .json();
    assert_eq!(late["action"], "ignored");
    assert!(
        late["reason"].as_str().unwrap().starts_with("stale"),
        "{late}"
    );
    let closed = scene
        .event_at(4, "closed", &pull_request)
        .succeeded()
        .json();
    assert_eq!(closed["action"], "deleted");
}

#[test]
fn unheard_answer_is_looked_up() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    // The server dies before it has moved the branch, and then right after.
    scene
        .manager
        .hook("pre-receive", "#!/bin/sh\nkill -9 $PPID\n");
    let failed = scene.event_output("opened", &pull_request).exited(5);
    assert!(failed.stderr.contains("cannot push"), "{}", failed.stderr);
    scene.manager.hook("pre-receive", "#!/bin/sh\n");
    scene
        .manager
        .hook("post-receive", "#!/bin/sh\nkill -9 $PPID\n");
    let outcome = scene.event("opened", &pull_request);
    assert_eq!(outcome["action"], "created");
    assert_eq!(
        outcome["commit"].as_str(),
        scene.manager.tip("main").as_deref()
    );
}

#[test]
fn branch_that_terraform_would_spell_otherwise_is_refused() {
    let scene = Scene::new();
    let decomposed = PullRequest::new(INFRA, 7, "abcdef12", "gru\u{308}n");
    let refused = scene.event_output("opened", &decomposed).exited(2);
    assert!(
        refused.stderr.contains("`infra_repository_branch`"),
        "{}",
        refused.stderr
    );
    // Where no input holds the branch, it is none of Terraform's business.
    let decomposed = PullRequest::new(SERVICE, 7, "abcdef12", "gru\u{308}n");
    assert_eq!(scene.event("opened", &decomposed)["action"], "created");
    let composed = PullRequest::new(INFRA, 8, "abcdef12", "gr\u{fc}n");
    assert_eq!(scene.event("opened", &composed)["action"], "created");
}
