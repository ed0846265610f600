//! `dayfly env rollback`: back to the inputs that were applied well, in one commit.

use crate::support::{Output, PullRequest, SERVICE_10, Scene};

const STACK_10: &str = "hello-service-ca6d5eab";

fn sha(letter: &str) -> String {
    letter.repeat(40)
}

/// What the page says, without its layout.
fn version(scene: &Scene) -> String {
    let page = scene.page(SERVICE_10).unwrap();
    page.split(' ').next().unwrap().to_owned()
}

fn push(scene: &Scene, letter: &str) {
    scene.event("synchronize", &PullRequest::service().at(&sha(letter)));
}

fn roll_back(scene: &Scene, name: &str) -> Output {
    let manager = &scene.manager.url;
    scene.data(&[
        "env",
        "rollback",
        name,
        "--manager",
        manager,
        "--output",
        "json",
    ])
}

/// A scene that stands at the commit `a`, whose pages refuse what begins with `f`.
fn standing() -> Scene {
    let scene = Scene::new();
    let module = scene.infra.read("main", "main.tf").unwrap();
    let refusing = "  lifecycle {\n    precondition {\n      condition     = !startswith(var.code_version, \"f\")\n      \
                    error_message = \"no\"\n    }\n  }\n";
    let module = module.replace(
        "resource \"terraform_data\" \"page\" {\n",
        &format!("resource \"terraform_data\" \"page\" {{\n{refusing}"),
    );
    scene.infra.commit("main", &[("main.tf", &module)]);
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    scene
}

#[test]
fn what_failed_goes_back_to_what_was_well() {
    let scene = standing();
    let file = Scene::file(&PullRequest::service(), SERVICE_10);
    // A person's own line is part of what was applied well.
    scene.edit(&file, "  code_version", "  # as it was\n  code_version");
    push(&scene, "b");
    scene.apply().succeeded();
    let well = scene.manager.read("main", &file).unwrap();
    push(&scene, "f");
    scene.edit(&file, "  # as it was\n", "");
    scene.apply().exited(1);
    assert_eq!(version(&scene), sha("b"));

    let before = scene.manager.subjects("main").len();
    let told = roll_back(&scene, SERVICE_10).succeeded().json();
    assert_eq!(told["action"], "updated");
    assert!(
        told["reason"].to_string().contains("applied well"),
        "{told}"
    );
    assert_eq!(scene.manager.subjects("main").len(), before + 1);
    let text = scene.manager.read("main", &file).unwrap();
    assert!(
        text.contains(&sha("b")) && text.contains("# as it was"),
        "{text}"
    );
    // The time of the last event stays: what was late before is late.
    let time = |text: &str| {
        let line = text.lines().find(|line| line.contains("event_at"));
        line.unwrap().to_owned()
    };
    assert_ne!(time(&text), time(&well));
    assert_eq!(
        text.replace(&time(&text), ""),
        well.replace(&time(&well), "")
    );

    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied),
        [format!("{STACK_10} TRACKED FINISHED")]
    );
    assert!(scene.data(&["status"]).succeeded().stderr.is_empty());
}

#[test]
fn what_was_well_goes_back_to_what_was_before_it() {
    let scene = standing();
    push(&scene, "b");
    scene.apply().succeeded();
    roll_back(&scene, "acme/hello-service#10").succeeded();
    scene.apply().succeeded();
    assert_eq!(version(&scene), sha("a"));
    // And from there to what was well before that.
    roll_back(&scene, SERVICE_10).succeeded();
    scene.apply().succeeded();
    assert_eq!(version(&scene), sha("b"));
    // The next commit goes on.
    push(&scene, "c");
    scene.apply().succeeded();
    assert_eq!(version(&scene), sha("c"));
}

#[test]
fn without_anything_better_nothing_is_written() {
    let scene = standing();
    let refused = roll_back(&scene, SERVICE_10).exited(2).stderr;
    assert!(refused.contains("nothing else is known"), "{refused}");
    push(&scene, "b");
    let tip = scene.manager.tip("main");
    let elsewhere = ["env", "rollback", SERVICE_10, "--data-dir", "elsewhere"];
    let refused = scene.dayfly(&elsewhere).exited(2).stderr;
    assert!(
        refused.contains("--data-dir of the machine that applies"),
        "{refused}"
    );
    roll_back(&scene, "00000000").exited(2);
    assert_eq!(scene.manager.tip("main"), tip);

    // With the environment goes what it could go back to.
    scene.apply().succeeded();
    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    roll_back(&scene, SERVICE_10).exited(2);
    scene.event("reopened", &PullRequest::service().at(&sha("c")));
    scene.apply().succeeded();
    roll_back(&scene, SERVICE_10).exited(2);
}

/// A file that could not be read when its stack ran was not what was applied.
#[test]
fn unreadable_file_is_not_what_was_applied() {
    let scene = standing();
    let file = Scene::file(&PullRequest::service(), SERVICE_10);
    let text = scene.manager.read("main", &file).unwrap();
    let broken = text.replace("  environment", "  nonsense = 1\n  environment");
    scene.manager.commit("main", &[(&file, &broken)]);
    let module = scene.infra.read("main", "main.tf").unwrap();
    scene
        .infra
        .commit("main", &[("main.tf", &(module + "# more\n"))]);
    let applied = scene.apply().exited(1);
    assert_eq!(
        Scene::runs_of(&applied),
        [format!("{STACK_10} TRACKED FINISHED")]
    );
    let another = text.replace(&sha("a"), &sha("f"));
    scene.manager.commit("main", &[(&file, &another)]);
    roll_back(&scene, SERVICE_10).succeeded();
    assert_eq!(scene.manager.read("main", &file), Some(text));
}

#[test]
fn fork_stays_one_until_somebody_says_otherwise() {
    let scene = Scene::new();
    let file = Scene::file(&PullRequest::service(), SERVICE_10);
    let upsert = |more: &[&str]| {
        let letter = sha("d");
        let words = [
            "env",
            "upsert",
            "acme/hello-service#10",
            "--head-sha",
            &letter,
            "--head-branch",
            "x",
        ];
        scene.dayfly(&[&words[..], more].concat()).succeeded();
        let text = scene.manager.read("main", &file).unwrap();
        let line = text.lines().find(|line| line.trim().starts_with("fork"));
        line.is_some_and(|line| line.contains("true"))
    };
    assert!(!upsert(&[]));
    assert!(upsert(&["--fork"]));
    assert!(
        upsert(&[]),
        "the mark was taken off by a word that does not speak of it"
    );
    assert!(!upsert(&["--fork=false"]));
    assert!(!upsert(&[]));
}
