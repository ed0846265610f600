//! Inputs at their limits: every preview still has one file, one id and one value for each input.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::support::{BareRepository, INFRA, PullRequest, Scene, World, ref_names};

/// What the template of a service is told, printed.
const TEMPLATE: &str = "variable \"environment\" {}\nvariable \"code_version\" {}\n\
    variable \"infra_repository_branch\" {}\nvariable \"fork\" {}\nvariable \"pull_request\" {}\nvariable \"service\" {}\nvariable \"repository_id\" { default = 0 }\nvariable \"event_at\" { default = \"\" }\n\
    output \"told\" { value = [var.environment, var.infra_repository_branch, var.pull_request] }\n";

/// What the real Terraform reads in the environment files of a service, by the name of the file.
fn read_by_terraform(
    world: &World,
    manager: &BareRepository,
    service: &str,
) -> BTreeMap<String, Value> {
    let (root, template) = (world.path("read/environments"), world.path("read/template"));
    fs::create_dir_all(&root).unwrap();
    fs::create_dir_all(&template).unwrap();
    fs::write(template.join("main.tf"), TEMPLATE).unwrap();
    let mut main =
        "variable \"service\" { default = null }\noutput \"told\" {\n  value = {\n".to_owned();
    let directory = format!("{service}/environments/");
    for path in manager.files("main") {
        let Some(file) = path.strip_prefix(&directory) else {
            continue;
        };
        if file == "variables.tf" {
            continue;
        }
        fs::write(root.join(file), manager.read("main", &path).unwrap()).unwrap();
        let module = file.strip_suffix(".tf").unwrap();
        main.push_str(&format!("    \"{module}\" = module.{module}.told\n"));
    }
    main.push_str("  }\n}\n");
    fs::write(root.join("main.tf"), main).unwrap();
    let terraform = |arguments: &[&str]| {
        let mut command = world.command("terraform");
        let output = command.current_dir(&root).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        output.stdout
    };
    terraform(&["init", "-no-color"]);
    terraform(&["apply", "-auto-approve", "-no-color"]);
    let outputs: Value = serde_json::from_slice(&terraform(&["output", "-json"])).unwrap();
    serde_json::from_value(outputs["told"]["value"].clone()).unwrap()
}

#[test]
fn any_branch_is_one_value_of_one_file() {
    let scene = Scene::new();
    let names: Vec<String> = ref_names(60)
        .into_iter()
        // Terraform would spell it in another way: such a branch is refused.
        .filter(|name| name.nfc().eq(name.chars()))
        .take(24)
        .collect();
    let before = scene.manager.tip("main").unwrap();
    let mut expected = BTreeMap::new();
    for (number, name) in (1..).zip(&names) {
        let pull_request = format!("{INFRA}#{number}");
        let mut asked = PullRequest::new(INFRA, number, "aaaaaaaa", name);
        asked.labels = vec![name.clone()];
        let written = scene.event("opened", &asked);
        assert_eq!(written["action"], "created", "{written}");
        let file = written["path"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap();
        let told = [
            written["environment"].as_str().unwrap(),
            name,
            &pull_request,
        ];
        expected.insert(
            file.trim_end_matches(".tf").to_owned(),
            Value::from(told.to_vec()),
        );
    }
    assert_eq!(expected.len(), names.len());
    let told = read_by_terraform(&scene.world, &scene.manager, "hello-service");
    assert_eq!(told, expected);
    // Each commit touched its own file and no other.
    let range = format!("{before}..main");
    let path = scene.manager.path.to_str().unwrap();
    let checked = ["validate", "--manager", path, "--only-environments", &range];
    scene.world.dayfly(&checked).succeeded();
    let touched = scene
        .manager
        .git(&["log", "--format=", "--name-only", &range]);
    assert_eq!(
        touched.lines().filter(|line| !line.is_empty()).count(),
        names.len()
    );
}

#[test]
fn the_longest_names_fit() {
    let world = World::new();
    let (service, owner, name) = ("s".repeat(40), "o".repeat(100), "n".repeat(100));
    let repository = format!("{owner}/{name}");
    let pull_request = format!("{repository}#{}", "9".repeat(18));
    let domain = format!("{}.{}.example", "d".repeat(63), "e".repeat(63));
    let init = ["init", "previews", "--repository", "acme/previews"];
    world.dayfly(&init).succeeded();
    let add = |service: &str| {
        world.dayfly(&[
            "service",
            "add",
            service,
            "--directory",
            "previews",
            "--service-repository",
            "acme/x",
            "--infra-repository",
            &repository,
            "--domain",
            &domain,
        ])
    };
    let said = add(&format!("{service}s")).exited(2).stderr;
    assert!(said.contains("up to 40 small letters"), "{said}");
    add(&service).succeeded();
    let checkout = world.path("previews");
    world.git(&checkout, &["add", "--all"]);
    world.git(
        &checkout,
        &["commit", "--quiet", "--allow-empty", "--message", "x"],
    );
    let manager = world.repository("previews");
    let to = manager.path.to_str().unwrap();
    world.git(&checkout, &["push", "--quiet", to, "HEAD:main"]);

    let branch = [
        "b".repeat(245),
        "c".repeat(245),
        "d".repeat(245),
        "e".repeat(245),
    ]
    .join("/");
    let written = world.dayfly(&[
        "env",
        "upsert",
        &pull_request,
        "--manager",
        &manager.url,
        "--head-sha",
        &"a".repeat(64),
        "--head-branch",
        &branch,
        "--output",
        "json",
    ]);
    let written = written.succeeded().json();
    let path = written["path"].as_str().unwrap();
    assert!(path.split('/').all(|name| name.len() <= 255), "{path}");
    let url = written["url"].as_str().unwrap();
    let host = url.strip_prefix("https://").unwrap();
    assert!(
        host.len() <= 253 && host.split('.').all(|label| label.len() <= 63),
        "{host}"
    );

    let environment = written["environment"].as_str().unwrap();
    let told = read_by_terraform(&world, &manager, &service);
    assert_eq!(
        told.into_values().collect::<Vec<_>>(),
        [Value::from(vec![environment, &branch, &pull_request])]
    );
    let valid = ["validate", "--manager", &manager.url, "--output", "json"];
    assert_eq!(world.dayfly(&valid).succeeded().json()["valid"], true);
    let plan = [
        "plan",
        "--manager",
        &manager.url,
        "--data-dir",
        "data",
        "--output",
        "json",
    ];
    let planned = world.dayfly(&plan).succeeded().stdout;
    let slug = format!("\"{service}-{environment}\"");
    assert!(planned.contains(&slug), "{planned}");
}

#[test]
fn what_breaks_a_name_is_said_before_it_does() {
    let scene = Scene::new();
    let (long, strange) = ("s".repeat(64), "a b");
    let text = scene
        .manager
        .read("main", "hello-service/service.hcl")
        .unwrap();
    for (directory, told) in [
        (long.as_str(), "longer than 63 letters"),
        (strange, "a letter that no name of a service may hold"),
    ] {
        let file = format!("\"{directory}/service.hcl\"");
        scene.manager.commit("broken", &[(&file, &text)]);
        let said = scene
            .dayfly(&["validate", "--branch", "broken"])
            .exited(1)
            .stderr;
        assert!(said.contains(told), "{said}");
        scene.manager.delete_branch("broken");
    }
    let host = format!(
        "url = \"https://${{environment.id}}.{}.example\"",
        "h".repeat(64)
    );
    let from = text.lines().find(|line| line.starts_with("url")).unwrap();
    let text = text.replace(from, &host);
    scene
        .manager
        .commit("main", &[("hello-service/service.hcl", &text)]);
    let said = scene.dayfly(&["validate"]).exited(1).stderr;
    assert!(
        said.contains("is longer than the 63 letters of a label"),
        "{said}"
    );
}
