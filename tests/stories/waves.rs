//! Stacks that depend on each other.

use serde_json::Value;

use crate::support::{PullRequest, SERVICE, SERVICE_10, Scene};

const STACK_10: &str = "hello-service-ca6d5eab";
const TEMPLATE: &str = "hello-service/template/main.tf";

/// The template with a second stack that takes an output of the first.
fn with_dependant(scene: &Scene, also: &str) {
    let template = scene.manager.read("main", TEMPLATE).unwrap();
    let second = format!(
        r#"
resource "spacelift_stack" "second" {{
  name         = "second-${{var.environment}}"
  repository   = "hello-infra"
  branch       = "main"
  project_root = "second"
  autodeploy   = true
  manage_state = true
  github_enterprise {{
    namespace = "acme"
  }}
}}
resource "spacelift_stack_destructor" "second" {{
  stack_id = spacelift_stack.second.id
}}
resource "spacelift_stack_dependency" "second" {{
  stack_id            = spacelift_stack.second.id
  depends_on_stack_id = spacelift_stack.this.id
}}
resource "spacelift_stack_dependency_reference" "text" {{
  stack_dependency_id = spacelift_stack_dependency.second.id
  output_name         = "text"
  input_name          = "TF_VAR_text"
}}
{also}
"#
    );
    scene
        .manager
        .commit("main", &[(TEMPLATE, &(template + &second))]);
    let ledger = scene.world.path("ledger").display().to_string();
    let module = format!(
        r#"variable "text" {{}}
resource "terraform_data" "text" {{
  triggers_replace = {{ text = var.text, ledger = "{ledger}" }}
  provisioner "local-exec" {{ command = "echo made '${{self.triggers_replace.text}}' >> ${{self.triggers_replace.ledger}}" }}
  provisioner "local-exec" {{
    when    = destroy
    command = "echo gone >> ${{self.triggers_replace.ledger}}"
  }}
}}
"#
    );
    scene.infra.commit("main", &[("second/main.tf", &module)]);
}

fn runs(scene: &Scene, stack: &str) -> Vec<Value> {
    let listed = scene.data(&["runs", "--output", "json", "--stack", stack]);
    listed.json().as_array().unwrap().clone()
}

fn ledger(scene: &Scene) -> Vec<String> {
    let text = std::fs::read_to_string(scene.world.path("ledger")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn dependant_takes_outputs_and_is_destroyed_first() {
    let scene = Scene::new();
    with_dependant(&scene, "");
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let second = format!("second-{SERVICE_10}");
    assert_eq!(runs(&scene, &second)[0]["state"], "FINISHED");
    assert_eq!(ledger(&scene).len(), 1);
    assert!(
        ledger(&scene)[0].starts_with("made aaaa"),
        "{:?}",
        ledger(&scene)
    );

    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    assert_eq!(ledger(&scene).last().unwrap(), "gone");
    let id = |stack: &str| runs(&scene, stack)[0]["id"].as_str().unwrap().to_owned();
    let ended = |stack: &str| runs(&scene, stack)[0]["state"].clone();
    assert_eq!(ended(&second), "FINISHED", "{}", id(&second));
    assert_eq!(ended(STACK_10), "FINISHED");
    assert_eq!(scene.page(SERVICE_10), None);
    assert_eq!(scene.stacks(), ["hello-service-common"]);
}

#[test]
fn environment_does_not_wait_for_the_waves_of_another() {
    let scene = Scene::new();
    with_dependant(&scene, "");
    let signs = scene.world.path("signs");
    std::fs::create_dir(&signs).unwrap();
    let (mine, other) = ("a".repeat(40), "b".repeat(40));
    // What is of the one waits for a sign of the other; the run fails where that never comes.
    let waits = |sign: &str| {
        format!(
            "case '${{self.triggers_replace}}' in {mine}) for i in $(seq 300); do [ -e {}/{sign}-{other} ] && exit; sleep 0.1; done; exit 1;; esac",
            signs.display()
        )
    };
    let tells = |sign: &str| {
        format!(
            "touch {}/{sign}-${{self.triggers_replace}}",
            signs.display()
        )
    };
    let module = |variable: &str, made: &str, gone: &str| {
        format!(
            r#"variable "{variable}" {{}}
resource "terraform_data" "it" {{
  triggers_replace = var.{variable}
  provisioner "local-exec" {{ command = "{made}" }}
  provisioner "local-exec" {{
    when    = destroy
    command = "{gone}"
  }}
}}
output "text" {{ value = var.{variable} }}
"#
        )
    };
    let first = module("code_version", &waits("second-made"), &tells("first-gone"));
    let second = module("text", &tells("second-made"), &waits("first-gone"));
    scene
        .infra
        .commit("main", &[("main.tf", &first), ("second/main.tf", &second)]);
    let pull_requests = [
        PullRequest::service(),
        PullRequest::new(SERVICE, 11, &other, "other"),
    ];
    for (event, end) in [("opened", "second-made"), ("closed", "first-gone")] {
        for pull_request in &pull_requests {
            scene.event(event, pull_request);
        }
        let applied = scene.apply_with(&["--parallelism", "2"]).succeeded();
        let runs = Scene::runs_of(&applied);
        assert!(!runs.iter().any(|run| run.ends_with("FAILED")), "{runs:?}");
        for version in [&mine, &other] {
            assert!(signs.join(format!("{end}-{version}")).exists(), "{event}");
        }
    }
}

#[test]
fn failure_skips_what_depends_on_it_until_it_heals() {
    let scene = Scene::new();
    with_dependant(&scene, "");
    let module = scene.infra.read("main", "main.tf").unwrap();
    scene.infra.commit(
        "main",
        &[("main.tf", "output \"text\" { value = nothing.at.all }")],
    );
    scene.event("opened", &PullRequest::service());
    scene.apply().exited(1);
    let second = format!("second-{SERVICE_10}");
    let run = runs(&scene, &second).remove(0);
    assert_eq!(run["state"], "SKIPPED", "{run}");
    let note = run["note"].as_str().unwrap();
    assert!(note.contains(STACK_10) && note.contains("FAILED"), "{note}");
    assert!(ledger(&scene).is_empty());
    scene.infra.commit("main", &[("main.tf", &module)]);
    scene.apply().succeeded();
    assert_eq!(runs(&scene, &second)[0]["state"], "FINISHED");
}

#[test]
fn what_stands_is_passed_over_once_while_what_it_depends_on_fails() {
    let scene = Scene::new();
    with_dependant(&scene, "");
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let second = format!("second-{SERVICE_10}");
    let before = runs(&scene, &second).len();
    let module = scene.infra.read("main", "main.tf").unwrap();
    let broken = "output \"text\" { value = nothing.at.all }";
    scene.infra.commit("main", &[("main.tf", broken)]);
    for _ in 0..2 {
        scene.apply().exited(1);
        let all = runs(&scene, &second);
        assert_eq!(all.len(), before + 1, "{all:?}");
        assert_eq!(all[0]["state"], "SKIPPED", "{all:?}");
        let note = all[0]["note"].as_str().unwrap();
        assert!(note.contains(STACK_10) && note.contains("FAILED"), "{note}");
    }
    // It still is what it was, and what it depends on heals without it.
    let status = scene.data(&["status"]).exited(1).stdout;
    assert!(!status.contains("SKIPPED"), "{status}");
    scene.infra.commit("main", &[("main.tf", &module)]);
    scene.apply().succeeded();
    assert_eq!(ledger(&scene).len(), 1, "{:?}", ledger(&scene));
    assert_eq!(
        runs(&scene, &second)[0]["note"],
        "no output that it takes has changed"
    );
}

#[test]
fn environment_is_well_once_all_of_its_stacks_are() {
    let scene = Scene::new();
    with_dependant(&scene, "");
    let module = scene.infra.read("main", "second/main.tf").unwrap();
    let refusing = "variable \"text\" {\n  validation {\n    condition = !startswith(var.text, \"f\")\n    error_message = \"no\"\n  }\n}";
    let module = module.replace("variable \"text\" {}", refusing);
    scene.infra.commit("main", &[("second/main.tf", &module)]);
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    // The first stack is well, and what depends on it is not.
    for letters in ["f", "fe"] {
        let sha = letters.repeat(40 / letters.len());
        scene.event("synchronize", &PullRequest::service().at(&sha));
        scene.apply().exited(1);
    }
    let second = format!("second-{SERVICE_10}");
    assert_eq!(runs(&scene, STACK_10)[0]["state"], "FINISHED");
    assert_eq!(runs(&scene, &second)[0]["state"], "FAILED");
    let rollback = [
        "env",
        "rollback",
        SERVICE_10,
        "--manager",
        &scene.manager.url,
    ];
    scene.data(&rollback).succeeded();
    let applied = scene.apply().succeeded();
    assert_eq!(Scene::runs_of(&applied).len(), 2, "{}", applied.stdout);
    let number = |stack: &str| -> u64 {
        runs(&scene, stack)[0]["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    assert!(number(STACK_10) < number(&second));
    assert!(ledger(&scene).last().unwrap().starts_with("made aaaa"));
    assert!(scene.page(SERVICE_10).unwrap().starts_with("aaaa"));
}

#[test]
fn circle_is_refused_with_its_place() {
    let scene = Scene::new();
    with_dependant(
        &scene,
        &format!(
            "resource \"spacelift_stack_dependency\" \"back\" {{\n  stack_id = \"{STACK_10}\"\n  depends_on_stack_id = spacelift_stack.second.id\n}}\n"
        ),
    );
    scene.event("opened", &PullRequest::service());
    let validated = scene.dayfly(&["validate"]).exited(1);
    assert!(
        validated.stderr.contains("in a circle"),
        "{}",
        validated.stderr
    );
    assert!(
        validated.stderr.contains("template/main.tf:"),
        "{}",
        validated.stderr
    );
}

#[test]
fn stacks_that_were_recorded_in_a_circle_are_destroyed_all_the_same() {
    let scene = Scene::new();
    with_dependant(&scene, "");
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    // As it was recorded before circles were refused: the way back of the dependency that stands.
    let store = rusqlite::Connection::open(scene.world.path("data/dayfly.db")).unwrap();
    let back = store.execute(
        "INSERT INTO object (address, kind, name, attributes, depends_on, file, line, phase, calls,
                             id, stack_id, sensitive)
         SELECT replace(address, '.second', '.back'), kind, name, json_set(attributes,
                '$.id', 'back', '$.stack_id', json_extract(attributes, '$.depends_on_stack_id'),
                '$.depends_on_stack_id', json_extract(attributes, '$.stack_id')), depends_on,
                file, line, phase, calls, 'back',
                json_extract(attributes, '$.depends_on_stack_id'), sensitive
         FROM object WHERE kind = 'spacelift_stack_dependency'",
        [],
    );
    assert_eq!(back.unwrap(), 1);
    drop(store);
    scene.event("closed", &PullRequest::service());
    scene.apply().succeeded();
    assert_eq!(ledger(&scene).last().unwrap(), "gone");
    assert_eq!(scene.page(SERVICE_10), None);
    assert_eq!(scene.stacks(), ["hello-service-common"]);
}

/// A commit of the first stack's repository that changes none of its outputs.
fn push_without_news(scene: &Scene, mark: &str) {
    let module = scene.infra.read("main", "main.tf").unwrap();
    let module = format!("{module}output \"{mark}\" {{ value = 1 }}\n");
    scene.infra.commit("main", &[("main.tf", &module)]);
}

#[test]
fn output_that_is_as_it_was_wakes_nobody_unless_it_always_does() {
    let second = format!("second-{SERVICE_10}");
    for always in [false, true] {
        let scene = Scene::new();
        with_dependant(&scene, "");
        // The second stack hears of no push.
        scene.edit(
            TEMPLATE,
            "  project_root = \"second\"\n  autodeploy   = true",
            "  project_root = \"second\"\n  autodeploy   = true\n  labels = []",
        );
        if always {
            scene.edit(
                TEMPLATE,
                "  output_name         = \"text\"\n",
                "  output_name         = \"text\"\n  trigger_always      = true\n",
            );
        }
        scene.event("opened", &PullRequest::service());
        scene.apply().succeeded();
        let before = runs(&scene, &second).len();
        let first = runs(&scene, STACK_10).len();
        push_without_news(&scene, "one");
        let applied = scene.apply().succeeded();
        assert_eq!(runs(&scene, STACK_10).len(), first + 1);
        let woken = runs(&scene, &second);
        assert_eq!(woken.len(), before + 1);
        if always {
            assert_eq!(woken[0]["state"], "FINISHED");
        } else {
            assert_eq!(woken[0]["state"], "SKIPPED");
            assert_eq!(woken[0]["note"], "no output that it takes has changed");
            let cause = woken[0]["cause"].as_str().unwrap();
            assert!(cause.contains(STACK_10), "{cause}");
            assert!(Scene::runs_of(&applied).contains(&format!("{second} TRACKED SKIPPED")));
        }
        // It stands as before, and nobody tries it again.
        let status = scene.data(&["status"]).succeeded().stdout;
        assert!(!status.contains("SKIPPED"), "{status}");
        scene.apply().succeeded();
        assert_eq!(runs(&scene, &second).len(), before + 1);
        // What is news wakes it in any case.
        scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
        scene.apply().succeeded();
        assert_eq!(runs(&scene, &second).len(), before + 2);
        assert!(ledger(&scene).last().unwrap().starts_with("made bbbb"));
    }
}

#[test]
fn stack_that_waits_for_a_person_is_a_gate() {
    let scene = Scene::new();
    with_dependant(&scene, "");
    scene.edit(
        TEMPLATE,
        "  # Nobody waits to confirm a preview.\n  autodeploy = true",
        "  autodeploy = false",
    );
    scene.event("opened", &PullRequest::service());
    for _ in 0..2 {
        scene.apply().succeeded();
        assert_eq!(runs(&scene, STACK_10)[0]["state"], "UNCONFIRMED");
        let second = runs(&scene, &format!("second-{SERVICE_10}"));
        assert_eq!(second[0]["state"], "QUEUED", "{second:?}");
        let note = second[0]["note"].as_str().unwrap();
        assert!(
            note.contains("UNCONFIRMED") && note.contains(STACK_10),
            "{note}"
        );
        assert!(ledger(&scene).is_empty());
    }
    let run = runs(&scene, STACK_10)[0]["id"].as_str().unwrap().to_owned();
    scene.data(&["runs", "confirm", &run]).succeeded();
    scene.apply().succeeded();
    assert!(ledger(&scene)[0].starts_with("made aaaa"));
}

#[test]
fn what_cannot_be_destroyed_keeps_what_it_depends_on() {
    let scene = Scene::new();
    with_dependant(&scene, "");
    let module = scene.infra.read("main", "second/main.tf").unwrap();
    let stuck = module.replace(
        "echo gone >>",
        "[ -e ${self.triggers_replace.ledger}.free ] && echo gone >>",
    );
    scene.infra.commit("main", &[("second/main.tf", &stuck)]);
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    scene.event("closed", &PullRequest::service());
    scene.apply().exited(1);
    let second = format!("second-{SERVICE_10}");
    assert_eq!(runs(&scene, &second)[0]["state"], "FAILED");
    let first = runs(&scene, STACK_10).remove(0);
    assert_eq!(
        (&first["type"], &first["state"]),
        (&"DESTROY".into(), &"SKIPPED".into()),
        "{first}"
    );
    assert!(
        first["note"].as_str().unwrap().contains("still stands"),
        "{first}"
    );
    assert!(scene.page(SERVICE_10).is_some());
    // It stays on the list, with its age.
    let status = scene.data(&["status"]).exited(1).stdout;
    assert!(status.contains("fails for "), "{status}");
    std::fs::write(scene.world.path("ledger.free"), "").unwrap();
    scene.apply().succeeded();
    assert_eq!(ledger(&scene).last().unwrap(), "gone");
    assert_eq!(scene.page(SERVICE_10), None);
    assert_eq!(scene.stacks(), ["hello-service-common"]);
    scene.data(&["status"]).succeeded();
}
