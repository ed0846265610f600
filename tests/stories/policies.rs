//! What policies say of runs, and what a person is told of it.

use serde_json::{Value, json};

use crate::support::{PullRequest, SERVICE, SERVICE_10, Scene, World};

const STACK_10: &str = "hello-service-ca6d5eab";

/// Attaches a policy of `kind` to all previews.
fn attach(scene: &Scene, name: &str, kind: &str, body: &str) {
    let resource = format!(
        "\nresource \"spacelift_policy\" \"{name}\" {{\n  name = \"{name}\"\n  type = \"{kind}\"\n  \
         engine_type = \"REGO_V1\"\n  labels = [\"autoattach:preview\"]\n  \
         body = file(\"${{path.module}}/policies/{name}.rego\")\n}}\n"
    );
    let main = scene.manager.read("main", "hello-service/main.tf").unwrap();
    let block = format!("\"spacelift_policy\" \"{name}\"");
    let main = if main.contains(&block) {
        main
    } else {
        main + &resource
    };
    let path = format!("hello-service/policies/{name}.rego");
    let text = format!("package spacelift\n\nimport rego.v1\n\n{body}\n");
    scene
        .manager
        .commit("main", &[("hello-service/main.tf", &main), (&path, &text)]);
}

/// What `runs show` tells of the last run of the preview's stack.
fn last_run(scene: &Scene) -> Value {
    let runs = scene
        .data(&["runs", "--output", "json", "--stack", STACK_10])
        .json();
    let id = runs[0]["id"].as_str().unwrap().to_owned();
    scene
        .data(&["runs", "show", &id, "--output", "json"])
        .json()
}

fn kinds(run: &Value) -> Vec<String> {
    let judgements = run["judgements"].as_array().unwrap();
    let name = |judgement: &Value| judgement["type"].as_str().unwrap().to_owned();
    judgements.iter().map(name).collect()
}

#[test]
fn run_waits_until_its_approval_policy_approves() {
    let scene = Scene::new();
    attach(
        &scene,
        "gate",
        "APPROVAL",
        "approve if input.run.state == \"UNCONFIRMED\"",
    );
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let run = last_run(&scene);
    assert_eq!(run["run"]["state"], "QUEUED");
    assert_eq!(run["run"]["note"], "waits for approval");
    assert_eq!(kinds(&run), ["TRIGGER", "APPROVAL"]);
    assert_eq!(scene.page(SERVICE_10), None);

    attach(
        &scene,
        "gate",
        "APPROVAL",
        "approve if input.run.state == \"QUEUED\"",
    );
    scene.apply().succeeded();
    assert_eq!(last_run(&scene)["run"]["state"], "FINISHED");
    assert!(scene.page(SERVICE_10).is_some());

    attach(
        &scene,
        "gate",
        "APPROVAL",
        "reject_with_note contains \"not today\" if true",
    );
    scene.event("synchronize", &PullRequest::service().at(&"b".repeat(40)));
    scene.apply().exited(1);
    let run = last_run(&scene);
    assert_eq!(run["run"]["state"], "FAILED");
    assert_eq!(run["run"]["note"], "rejected by policy: not today");
}

#[test]
fn run_of_a_fork_waits_until_somebody_else_approves() {
    let scene = Scene::new();
    scene.edit(
        "hello-service/service.hcl",
        "forks           = \"deny\"",
        "forks           = \"allow\"",
    );
    let pull_request = PullRequest {
        is_fork: true,
        ..PullRequest::service()
    };
    scene.event("opened", &pull_request);
    scene.apply().succeeded();
    let run = last_run(&scene);
    assert_eq!(run["run"]["state"], "QUEUED");
    let id = run["run"]["id"].as_str().unwrap().to_owned();
    let told = scene.data(&["policy", "input", &id, "--type", "approval"]);
    let author = &told.json()["run"]["commit"]["author"];
    assert!(!author.as_str().unwrap().is_empty(), "{author}");

    let approved = scene
        .data(&["runs", "approve", &id, "--note", "read it"])
        .succeeded();
    assert!(approved.stdout.contains("it may go on"), "{approved:?}");
    scene.apply().succeeded();
    let run = last_run(&scene);
    assert_eq!(run["run"]["state"], "FINISHED");
    assert_eq!(run["reviews"][0]["note"], "read it");
    assert!(scene.page(SERVICE_10).is_some());

    scene.event("synchronize", &pull_request.at(&"b".repeat(40)));
    scene.apply().succeeded();
    let run = last_run(&scene);
    assert_eq!(run["run"]["state"], "QUEUED", "an approval is of one run");
    let id = run["run"]["id"].as_str().unwrap().to_owned();
    scene.data(&["runs", "reject", &id]).succeeded();
    let run = last_run(&scene);
    assert_eq!(run["run"]["state"], "FAILED");
    let again = scene.data(&["runs", "approve", &id]).exited(1);
    assert!(again.stderr.contains("waits for no approval"), "{again:?}");
}

#[test]
fn approval_policy_that_errs_lets_nothing_go_on() {
    let scene = Scene::new();
    attach(
        &scene,
        "gate",
        "APPROVAL",
        "approve := true\n\nsample := true\n\nsample := false if input.run.id",
    );
    scene.event("opened", &PullRequest::service());
    scene.apply();
    let run = last_run(&scene);
    assert_eq!(run["run"]["state"], "QUEUED");
    let note = run["run"]["note"].as_str().unwrap();
    assert!(note.starts_with("policy gate gave no answer: "), "{note}");
    assert_eq!(scene.page(SERVICE_10), None);
}

#[test]
fn ended_run_triggers_others_and_is_told_of() {
    let scene = Scene::new();
    let pull_request = PullRequest::service();
    scene.event("opened", &pull_request);
    scene.apply().succeeded();
    attach(
        &scene,
        "after",
        "TRIGGER",
        "trigger contains \"hello-service-common\" if {\n\tinput.run.state == \"FINISHED\"\n\t\
         some change in input.run.changes\n\tchange.phase == \"apply\"\n}",
    );
    attach(
        &scene,
        "tell",
        "NOTIFICATION",
        "slack contains {\"channel_id\": \"C1\", \"message\": input.run_updated.state}",
    );
    scene.event("synchronize", &pull_request.at(&"b".repeat(40)));
    let applied = scene.apply().succeeded();
    assert_eq!(
        Scene::runs_of(&applied),
        [
            format!("{STACK_10} TRACKED FINISHED"),
            "hello-service-common TRACKED FINISHED".to_owned()
        ]
    );
    let cause = applied.json()["runs"][1]["cause"].to_string();
    assert!(cause.contains("trigger policy after, after run"), "{cause}");
    let run = last_run(&scene);
    assert_eq!(run["run"]["state"], "FINISHED");
    let told: Vec<&Value> = run["judgements"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|judgement| judgement["type"] == "NOTIFICATION")
        .map(|judgement| &judgement["verdict"]["slack"][0]["message"])
        .collect();
    assert_eq!(told.first().unwrap().as_str(), Some("QUEUED"), "{told:?}");
    assert_eq!(told.last().unwrap().as_str(), Some("FINISHED"), "{told:?}");
}

#[test]
fn verdict_can_be_looked_up_and_replayed() {
    let scene = Scene::new();
    let body = "deny contains sprintf(\"%s in %s\", [r.address, input.spacelift.stack.name]) if {\n\t\
                some r in created_resources\n}";
    attach(&scene, "gate", "PLAN", body);
    scene.event("opened", &PullRequest::service());
    scene.apply().exited(1);
    let run = last_run(&scene);
    assert_eq!(run["run"]["state"], "FAILED");
    assert_eq!(kinds(&run), ["TRIGGER", "APPROVAL", "PLAN"]);
    let judged = &run["judgements"].as_array().unwrap()[2];
    let denied = &judged["verdict"]["deny"][0];
    assert_eq!(
        *denied,
        format!("terraform_data.page in hello-service {SERVICE_10} ({SERVICE}#10)")
    );

    let id = run["run"]["id"].as_str().unwrap();
    let input = scene
        .data(&["policy", "input", id, "--type", "plan"])
        .stdout;
    let (file, policy) = (
        scene.world.path("input.json"),
        scene.world.path("gate.rego"),
    );
    std::fs::write(&file, input).unwrap();
    std::fs::write(
        &policy,
        format!("package spacelift\n\nimport rego.v1\n\n{body}\n"),
    )
    .unwrap();
    let (file, policy) = (file.to_str().unwrap(), policy.to_str().unwrap());
    let said = scene.world.dayfly(&[
        "policy", "eval", policy, "--type", "PLAN", "--input", file, "--output", "json",
    ]);
    assert_eq!(said.succeeded().json()["rules"]["deny"][0], *denied);

    let told = scene.data(&["runs", "show", id]).succeeded().stdout;
    assert!(
        told.contains(&format!("  gate: deny: [{denied}]")),
        "{told}"
    );
    assert!(
        told.contains(&format!(
            "PLAN at PLANNING, input {}",
            judged["input_digest"].as_str().unwrap()
        )),
        "{told}"
    );
}

#[test]
fn policy_that_the_engine_breaks_off_at_gets_one_error() {
    let world = World::new();
    let text = "package spacelift\nimport rego.v1\n\
                deny contains \"x\" if { time.parse_ns(\"\u{e9}2\", \"1\u{e9}\") }\n";
    let (policy, input) = (world.path("odd.rego"), world.path("input.json"));
    std::fs::write(&policy, text).unwrap();
    std::fs::write(&input, "{}").unwrap();
    let (policy, input) = (policy.to_str().unwrap(), input.to_str().unwrap());
    let said = world.dayfly(&["policy", "eval", policy, "--type", "PLAN", "--input", input]);
    let said = said.exited(1);
    let error = format!("error: policy {policy} gave no answer: the engine broke off\n");
    assert_eq!(said.stderr, error);
}

#[test]
fn stack_is_told_with_its_contexts_and_roles() {
    let scene = Scene::new();
    attach(&scene, "look", "PLAN", "warn contains \"x\" if false");
    let template = "hello-service/template/main.tf";
    let text = scene.manager.read("main", template).unwrap();
    let context = |name: &str, labels: &str| {
        format!(
            "\nresource \"spacelift_context\" \"{name}\" {{\n  name = \"{name}\"\n  labels = [{labels}]\n}}\n"
        )
    };
    let attached = |name: &str, priority: u32| {
        format!(
            "\nresource \"spacelift_context_attachment\" \"{name}\" {{\n  context_id = spacelift_context.{name}.id\n  \
             stack_id = spacelift_stack.this.id\n  priority = {priority}\n}}\n"
        )
    };
    let all = [
        text,
        context("below", "\"autoattach:preview\""),
        context("above", "\"autoattach:*\""),
        context("elsewhere", "\"autoattach:production\""),
        context("second", "\"autoattach:*\""),
        context("first", ""),
        context("free", ""),
        attached("second", 1),
        attached("first", 2),
        "\nresource \"spacelift_role\" \"this\" {\n  name = \"Space Reader\"\n  actions = [\"SPACE_READ\"]\n}\n\
         resource \"spacelift_role_attachment\" \"this\" {\n  role_id = spacelift_role.this.id\n  \
         space_id = \"root\"\n  stack_id = spacelift_stack.this.id\n}\n"
            .to_owned(),
    ];
    scene.manager.commit("main", &[(template, &all.concat())]);
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let asked = |kind: &str| {
        let run = last_run(&scene)["run"]["id"].as_str().unwrap().to_owned();
        scene
            .data(&["policy", "input", &run, "--type", kind])
            .json()
    };
    let contexts = json!(["second", "first", "above", "below"]);
    let roles = json!([{ "id": "space-reader", "name": "Space Reader" }]);
    let stack = asked("plan")["spacelift"]["stack"].clone();
    assert_eq!((&stack["contexts"], &stack["roles"]), (&contexts, &roles));
    let told = asked("trigger")["stacks"].clone();
    let stacks = told.as_array().unwrap();
    let stack = stacks.iter().find(|stack| stack["id"] == STACK_10).unwrap();
    assert_eq!((&stack["contexts"], &stack["roles"]), (&contexts, &roles));
    // Another stack has those alone that attach themselves to all.
    let common = stacks.iter().find(|stack| stack["id"] != STACK_10).unwrap();
    assert_eq!(common["contexts"], json!(["above", "second"]));
    assert_eq!(common["roles"], json!([]));

    // The next apply has looked at none of them.
    let text = scene.infra.read("main", "main.tf").unwrap();
    scene
        .infra
        .commit("main", &[("main.tf", &text.replace("plain", "wide"))]);
    scene.apply().succeeded();
    let stack = asked("git_push")["stack"].clone();
    assert_eq!((&stack["contexts"], &stack["roles"]), (&contexts, &roles));
}
