//! `dayfly validate`: all that is wrong, at once, where it stands.

use crate::support::{PullRequest, Scene, World};

/// A plain directory with one mistake of each room.
fn broken(world: &World) -> String {
    let files = [
        ("dayfly.hcl", "stack_manger = \"dayfly\"\n"),
        (
            "main.tf",
            "module \"hello\" {\n  source = \"./hello\"\n}\n\nlocals {\n\twide = \"日本\" + nonsense(1)\n}\n",
        ),
        (
            "hello/main.tf",
            "resource \"spacelift_stack\" \"x\" {\n  name = \"x\"\n",
        ),
        ("hello/service.hcl", "admit { limit = \"many\" }\n"),
        (
            "policies.tf",
            concat!(
                "resource \"spacelift_policy\" \"p\" {\n  name = \"p\"\n  type = \"PLAN\"\n",
                "  engine_type = \"REGO_V1\"\n  body = file(\"${path.module}/policies/p.rego\")\n}\n"
            ),
        ),
        (
            "policies/p.rego",
            "package spacelift\n\ndeny contains x if {\n",
        ),
    ];
    for (path, text) in files {
        let path = world.path("manager").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    world.path("manager").to_str().unwrap().to_owned()
}

#[test]
fn all_mistakes_are_shown_where_they_stand() {
    let world = World::new();
    let manager = broken(&world);
    let validated = world.dayfly(&["validate", "--manager", &manager]).exited(1);
    insta::assert_snapshot!(format!("{}{}", validated.stderr, validated.stdout));
}

#[test]
fn workflow_gets_annotations() {
    let world = World::new();
    let manager = broken(&world);
    let validated = world
        .dayfly_with(
            &[("GITHUB_ACTIONS", "true")],
            &["validate", "--manager", &manager],
        )
        .exited(1);
    insta::assert_snapshot!(validated.stderr);
}

#[test]
fn machines_get_line_column_and_text() {
    let world = World::new();
    let manager = broken(&world);
    let validated = world
        .dayfly(&["validate", "--manager", &manager, "--output", "json"])
        .exited(1);
    assert_eq!(validated.stderr, "");
    let told = validated.json();
    assert_eq!(told["valid"], false);
    let problems = told["problems"].as_array().unwrap();
    let found = problems.iter().find(|it| it["file"] == "main.tf").unwrap();
    assert_eq!(found["line"], 6);
    assert_eq!(found["excerpt"]["text"], "\twide = \"日本\" + nonsense(1)");
    let column = found["column"].as_u64().unwrap();
    assert_eq!(found["excerpt"]["before"], column - 1);
}

#[test]
fn mistake_of_a_shared_module_is_told_once() {
    let scene = Scene::new();
    for number in 10..13 {
        let pull_request = PullRequest {
            number,
            ..PullRequest::service()
        };
        scene.event("opened", &pull_request);
    }
    let main = "hello-service/template/main.tf";
    let text = scene.manager.read("main", main).unwrap();
    let broken = format!("{text}\nlocals {{\n  wrong = upper(nonsense)\n}}\n");
    let mut files: Vec<(String, String)> = vec![(main.to_owned(), broken)];
    for number in 0..40 {
        let module = format!(
            "module \"m{number:02}\" {{\n  source = \"../template\"\n  environment = \"aaaa{number:04}\"\n}}\n"
        );
        files.push((
            format!("hello-service/environments/m{number:02}.tf"),
            module,
        ));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    scene.manager.commit("main", &files);
    let validated = scene.dayfly(&["validate"]).exited(1);
    let said = &validated.stderr;
    assert_eq!(
        said.matches("nonsense").count(),
        2,
        "the message and the line: {said}"
    );
    assert!(said.contains("and 2 other environments"), "{said}");
    // What each file lacks is in each file; ten are shown of each kind.
    assert_eq!(
        said.matches("lacks the argument code_version").count(),
        10,
        "{said}"
    );
    assert!(said.contains("and 30 other problems like this"), "{said}");
    let all = scene
        .dayfly(&["validate", "--output", "json"])
        .exited(1)
        .json();
    let lacking = |problem: &&serde_json::Value| {
        problem["message"]
            .as_str()
            .unwrap()
            .contains("lacks the argument code_version")
    };
    let problems = all["problems"].as_array().unwrap();
    assert_eq!(problems.iter().filter(lacking).count(), 40);
}

#[test]
fn foreign_resource_of_the_demo_of_2021_is_shown_to_be_moved() {
    let world = World::new();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/demo_2021");
    let validated = world.dayfly(&["validate", "--manager", demo]).exited(1);
    insta::assert_snapshot!(format!("{}{}", validated.stderr, validated.stdout));
    // The service that does not refer to it goes on.
    let data = world.path("data").to_str().unwrap().to_owned();
    let words = [
        "plan",
        "--output",
        "json",
        "--manager",
        demo,
        "--data-dir",
        &data,
    ];
    let planned = world.dayfly(&words).exited(1).json();
    let changes = planned["changes"].as_array().unwrap().iter();
    let stacks: Vec<&str> = changes
        .filter(|change| change["type"] == "spacelift_stack")
        .map(|change| change["address"].as_str().unwrap())
        .collect();
    let plain = "module.plain-service.module.instances.module.acme-plain-service-4-0a1b2c3";
    assert_eq!(stacks, [format!("{plain}.spacelift_stack.this")]);
}

#[test]
fn foreign_blocks_are_shown_to_be_moved_in_each_syntax_and_each_output() {
    let world = World::new();
    let manager = world.repository("manager");
    let hcl = "data \"aws_route53_zone\" \"zone\" {\n  name = \"example.com.\"\n}\n\
               resource \"aws_sns_topic\" \"topic\" {}\n\
               data \"spacelift_stack\" \"other\" {}\n";
    let json = "{\"resource\": {\"aws_iam_role\": {\"role\": {\"name\": \"${1 + 1}\"}}},\n\
                \"data\": {\"aws_ami\": {\"image\": [{\"owner\": \"self\"}]}}}\n";
    manager.commit("main", &[("main.tf", hcl), ("more.tf.json", json)]);
    let words = ["validate", "--manager", &manager.url];
    let role = serde_json::json!({"resource": {"aws_iam_role": {"role": {"name": "${1 + 1}"}}}});
    let image = serde_json::json!({"data": {"aws_ami": {"image": [{"owner": "self"}]}}});
    let blocks = [
        "data \"aws_route53_zone\" \"zone\" {\n  name = \"example.com.\"\n}".to_owned(),
        "resource \"aws_sns_topic\" \"topic\" {}".to_owned(),
        serde_json::to_string_pretty(&role).unwrap(),
        serde_json::to_string_pretty(&image).unwrap(),
    ];

    let told = world.dayfly(&words).exited(1).stderr;
    let indented = |block: &String| block.replace('\n', "\n    ");
    let annotated = world.dayfly_with(&[("GITHUB_ACTIONS", "true")], &words);
    let annotated = annotated.exited(1).stderr;
    let escaped = |block: &String| block.replace('%', "%25").replace('\n', "%0A");
    let problems = world.dayfly(&["validate", "--output", "json", words[1], words[2]]);
    let problems = problems.exited(1).json()["problems"].clone();
    let problems = problems.as_array().unwrap();
    assert_eq!(problems.len(), 5);
    for block in &blocks {
        assert!(
            told.contains(&format!("    {}\n", indented(block))),
            "{block}\n{told}"
        );
        let ends = format!("%0A%0A{}\n", escaped(block));
        assert!(annotated.contains(&ends), "{block}\n{annotated}");
        let is_it = |problem: &&serde_json::Value| problem["excerpt"]["block"] == block.as_str();
        assert_eq!(problems.iter().filter(is_it).count(), 1, "{block}");
    }
    // One of Spacelift's own has no place in another stack.
    let own = problems
        .iter()
        .find(|it| it["message"].as_str().unwrap().contains("spacelift"));
    assert_eq!(own.unwrap()["excerpt"]["block"], serde_json::Value::Null);
}
