//! Unreadable is not absent: what cannot be read stays as it is, and blocks nobody else.

use crate::support::{PullRequest, SERVICE_10, Scene};

const STACK_10: &str = "hello-service-ca6d5eab";

fn other(number: u64) -> PullRequest {
    PullRequest {
        number,
        ..PullRequest::service()
    }
}

#[test]
fn one_bad_file_blocks_one_environment() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    let bad = "hello-service/environments/acme-hello-service-12-00000000.tf";
    scene.manager.commit(
        "main",
        &[(bad, "module \"x\" {\n  source = \"../template\"\n")],
    );

    let validated = scene.dayfly(&["validate"]).exited(1);
    assert!(validated.stderr.contains(bad), "{}", validated.stderr);
    let applied = scene.apply().exited(1);
    assert!(
        applied.json()["problems"].to_string().contains(bad),
        "{}",
        applied.stdout
    );
    assert!(Scene::runs_of(&applied).contains(&format!("{STACK_10} TRACKED FINISHED")));
    assert_eq!(
        scene.event("opened", &other(11))["action"],
        "created",
        "the writer goes on as well"
    );
}

#[test]
fn broken_file_keeps_its_stack() {
    let pull_request = PullRequest::service();
    let file = Scene::file(&pull_request, SERVICE_10);
    type Breakage<'a> = (&'a str, &'a dyn Fn(&str) -> String);
    let breakages: &[Breakage<'_>] = &[
        ("cannot be parsed", &|text| text.replace("\n}", "\n")),
        ("an unknown argument", &|text| {
            text.replace("pull_request ", "pull_requested ")
        }),
        ("an unknown function", &|text| {
            text.replace("\"main\"", "nonsense(\"main\")")
        }),
        ("an unknown variable", &|text| {
            text.replace("\"main\"", "var.nonsense")
        }),
        ("a source that is not there", &|text| {
            text.replace("../template", "../nowhere")
        }),
    ];
    let scene = Scene::new();
    scene.event("opened", &pull_request);
    scene.event("opened", &other(11));
    scene.apply().succeeded();
    let whole = scene.manager.read("main", &file).unwrap();
    for (how, breakage) in breakages {
        let broken = breakage(&whole);
        assert_ne!(broken, whole, "{how}");
        scene.manager.commit("main", &[(&file, &broken)]);
        let applied = scene.apply().exited(1);
        let problems = applied.json()["problems"].to_string();
        assert!(problems.contains(&file), "{how}: {problems}");
        assert!(
            Scene::runs_of(&applied).is_empty(),
            "{how}: {}",
            applied.stdout
        );
        assert!(scene.stacks().contains(&STACK_10.to_owned()), "{how}");
        assert!(scene.page(SERVICE_10).is_some(), "{how}");
        scene.dayfly(&["validate"]).exited(1);
    }
    // Mended with a new input, it runs; taken away, it is destroyed.
    scene.manager.commit(
        "main",
        &[(&file, &whole.replace(&"a".repeat(40), &"b".repeat(40)))],
    );
    scene.apply().succeeded();
    assert_eq!(
        scene.page(SERVICE_10),
        Some(format!("{} plain", "b".repeat(40)))
    );
    scene.manager.remove("main", &[&file]);
    assert_eq!(
        Scene::runs_of(&scene.apply().succeeded()),
        [format!("{STACK_10} DESTROY FINISHED")]
    );
}

#[test]
fn broken_module_that_all_share_deletes_nothing() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    scene.event("opened", &other(11));
    scene.apply().succeeded();
    let before = scene.stacks();
    assert_eq!(before.len(), 3);
    let shared = [
        "main.tf",
        "variables.tf",
        "hello-service/main.tf",
        "hello-service/variables.tf",
        "hello-service/template/main.tf",
        "hello-service/template/variables.tf",
        "hello-service/environments/variables.tf",
        "hello-service/policies/push.rego",
        "policies/trigger.rego",
    ];
    for path in shared {
        let whole = scene.manager.read("main", path).unwrap();
        scene
            .manager
            .commit("main", &[(path, "resource \"spacelift_stack\" {")]);
        let applied = scene.apply();
        assert_ne!(applied.status, 0, "{path}: {}", applied.stdout);
        assert_eq!(scene.stacks(), before, "{path}");
        assert!(scene.page(SERVICE_10).is_some(), "{path}");
        scene.manager.commit("main", &[(path, &whole)]);
        scene.apply().succeeded();
        assert_eq!(scene.stacks(), before, "{path} mended");
    }
}

#[test]
fn mass_deletion_waits_for_a_person() {
    let scene = Scene::new();
    for number in 20..32 {
        scene.event("opened", &other(number));
    }
    scene.apply().succeeded();
    let files = scene.manager.files("main");
    let environments: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(|path| path.contains("/environments/acme-"))
        .collect();
    assert_eq!(environments.len(), 12);
    scene.manager.remove("main", &environments);

    let refused = scene.apply().exited(3);
    assert!(
        refused.stderr.contains("12 of 12 previews")
            && refused.stderr.contains("--allow-deletions 12"),
        "{}",
        refused.stderr
    );
    assert_eq!(scene.stacks().len(), 13, "nothing was recorded");
    scene.apply_with(&["--allow-deletions", "11"]).exited(3);
    let applied = scene.apply_with(&["--allow-deletions", "12"]).succeeded();
    assert_eq!(Scene::runs_of(&applied).len(), 12);
    assert_eq!(scene.stacks(), ["hello-service-common"]);
}
