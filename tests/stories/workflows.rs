//! The generated workflows, read and run as GitHub would.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::action::action;
use crate::support::{Job, PullRequest, Scene, World, holds, text, yaml};

const ACTION: &str = "dayfly/dayfly/action@68a0e427aba817ba6f79a76f71c0f0ad710735db";

/// What `service add` is told of a service whose code and infrastructure are in these repositories.
fn add<'a>(name: &'a str, repositories: [&'a str; 2]) -> Vec<&'a str> {
    let mut words = vec!["service", "add", name, "--directory", "previews"];
    words.extend([
        "--service-repository",
        repositories[0],
        "--infra-repository",
        repositories[1],
    ]);
    words.extend([
        "--domain",
        "preview.example.com",
        "--workflows",
        "sources",
        "--action",
        ACTION,
    ]);
    words
}

/// Everything that is written for GitHub Actions: path and text.
fn workflows(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap();
        if entry.file_type().is_file() && path.contains(".github/workflows/") {
            found.insert(path.to_owned(), fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}

fn generated(stack_manager: &str) -> World {
    let world = World::new();
    let init = [
        "init",
        "previews",
        "--repository",
        "acme/previews",
        "--action",
        ACTION,
    ];
    let init = [&init[..], &["--stack-manager", stack_manager]].concat();
    world.dayfly(&init).succeeded();
    world
        .dayfly(&add(
            "hello-service",
            ["acme/hello-service", "acme/hello-infra"],
        ))
        .succeeded();
    world
}

#[test]
fn what_is_generated() {
    let world = generated("dayfly");
    let mut all = String::new();
    for root in ["sources", "previews"] {
        for (path, text) in workflows(&world.path(root)) {
            all.push_str(&format!("== {root}/{path}\n{text}\n"));
        }
    }
    insta::assert_snapshot!(all);

    // What applies here is nobody else's to apply.
    let world = generated("spacelift");
    let names: Vec<String> = workflows(&world.path("previews")).into_keys().collect();
    assert_eq!(
        names,
        [
            ".github/workflows/sweep.yml",
            ".github/workflows/validate.yml"
        ]
    );
}

#[test]
fn what_was_changed_stays() {
    let world = generated("dayfly");
    let path = world.path("sources/acme/hello-service/.github/workflows/preview.yml");
    fs::write(&path, "mine").unwrap();
    fs::remove_file(path.with_file_name("artifact.yml")).unwrap();
    let again = add("hello-service", ["acme/hello-service", "acme/hello-infra"]);
    let said = world.dayfly(&again).succeeded().stdout;
    assert!(said.contains("preview.yml  differs"), "{said}");
    assert!(
        said.contains("+ sources/acme/hello-service/.github/workflows/artifact.yml"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");

    // One repository for both has one of each.
    world
        .dayfly(&add("shop", ["partner/shop", "partner/shop"]))
        .succeeded();
    let names: Vec<String> = workflows(&world.path("sources/partner"))
        .into_keys()
        .collect();
    let expected = ["artifact.yml", "preview.yml"];
    assert_eq!(
        names,
        expected.map(|name| format!("shop/.github/workflows/{name}"))
    );

    let mut wrong = add("x", ["acme/x", "acme/y"]);
    *wrong.last_mut().unwrap() = "a/b@${{ x }}";
    let said = world.dayfly(&wrong).exited(2);
    assert!(said.stderr.contains("is no action of GitHub's"), "{said:?}");
}

/// A workflow, and the steps of its only job.
fn steps(path: &Path) -> (Value, Vec<Value>) {
    let workflow = yaml(path);
    let jobs = workflow["jobs"].as_object().unwrap();
    assert_eq!(jobs.len(), 1);
    let steps = jobs.values().next().unwrap()["steps"]
        .as_array()
        .unwrap()
        .clone();
    (workflow, steps)
}

#[test]
fn the_preview_workflow_hands_its_event_on() {
    let scene = Scene::inside(World::with_token("ghp_writer"));
    let mut again = add("hello-service", ["acme/hello-service", "acme/hello-infra"]);
    again[4] = "clone";
    scene.world.clone_of(&scene.manager, "clone");
    scene.world.dayfly(&again).succeeded();
    let path = scene
        .world
        .path("sources/acme/hello-service/.github/workflows/preview.yml");
    let (workflow, steps) = steps(&path);
    // Every event that the writer has a use for, on every path, and nothing checked out.
    let mut types: Vec<&str> = workflow["on"]["pull_request_target"]["types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind.as_str().unwrap())
        .collect();
    types.sort_unstable();
    assert_eq!(
        types,
        [
            "closed",
            "converted_to_draft",
            "edited",
            "labeled",
            "opened",
            "ready_for_review",
            "reopened",
            "synchronize",
            "unlabeled"
        ]
    );
    assert_eq!(
        workflow["on"]["pull_request_target"]
            .as_object()
            .unwrap()
            .len(),
        1
    );
    assert!(workflow["concurrency"].is_null());
    assert_eq!(workflow["permissions"], json!({}));
    let [step] = steps.as_slice() else {
        panic!("{steps:?}")
    };
    assert_eq!(step["uses"], ACTION);

    let payload = PullRequest::service().payload("opened", 1);
    let mut job = Job::new(&scene.world, "pull_request_target", &payload);
    job.contexts["secrets"] = json!({ "PREVIEWS_TOKEN": "ghp_writer" });
    let given = step["with"].as_object().unwrap().iter();
    let mut inputs: Map<String, Value> = given
        .map(|(name, value)| (name.clone(), json!(text(value, &job.contexts))))
        .collect();
    assert_eq!(inputs["manager"], scene.manager.url);
    inputs.insert("binary".to_owned(), json!(env!("CARGO_BIN_EXE_dayfly")));
    let done = job.action(&action(), &inputs);
    assert!(done.succeeded, "{}", job.log);
    assert_eq!(done.outputs["action"], "created");
}

#[test]
fn the_manager_repository_checks_what_is_proposed() {
    let scene = Scene::new();
    let path = scene.world.path("previews/.github/workflows/validate.yml");
    let (_, steps) = steps(&path);
    let base = scene.manager.tip("main").unwrap();
    let environment = Scene::file(&PullRequest::service(), "ca6d5eab");
    scene.event("opened", &PullRequest::service());
    let text_of_file = scene.manager.read("main", &environment).unwrap();
    scene.manager.git(&["update-ref", "refs/heads/main", &base]);
    for (branch, login, files, guarded, passes) in [
        (
            "dayfly/hello-service/x",
            "ann",
            &[(environment.as_str(), text_of_file.as_str())][..],
            true,
            true,
        ),
        (
            "dayfly/hello-service/y",
            "ann",
            &[("main.tf", "# x\n")][..],
            true,
            false,
        ),
        (
            "mine",
            "writer[bot]",
            &[("README.md", "x\n")][..],
            true,
            false,
        ),
        ("theirs", "ann", &[("README.md", "x\n")][..], false, true),
        (
            "broken",
            "ann",
            &[("main.tf", "module {\n")][..],
            false,
            false,
        ),
    ] {
        scene.manager.branch(branch, "main");
        let head = scene.manager.commit(branch, files);
        let user = json!({ "login": login });
        let payload = json!({
            "pull_request": { "user": user, "head": { "sha": head }, "base": { "sha": base } },
            "sender": user,
        });
        let mut job = Job::new(&scene.world, "pull_request", &payload);
        job.contexts["github"]["head_ref"] = json!(branch);
        job.contexts["vars"] = json!({ "DAYFLY_WRITER": "writer[bot]" });
        let (mut is_guarded, mut succeeded) = (false, true);
        for step in &steps {
            if !step["if"]
                .as_str()
                .is_none_or(|test| holds(test, &job.contexts))
            {
                continue;
            }
            match step["uses"].as_str() {
                Some(uses) if uses.starts_with("actions/checkout@") => {
                    check_out(&scene, &text(&step["with"]["ref"], &job.contexts));
                }
                Some(_) => {
                    let mut inputs = step["with"].as_object().unwrap().clone();
                    inputs.insert("binary".to_owned(), json!(env!("CARGO_BIN_EXE_dayfly")));
                    assert!(job.action(&action(), &inputs).succeeded, "{}", job.log);
                }
                None => {
                    is_guarded |= step["run"]
                        .as_str()
                        .unwrap()
                        .contains("--only-environments");
                    succeeded &= job.run(step).succeeded;
                    if !succeeded {
                        break;
                    }
                }
            }
        }
        assert_eq!(
            (is_guarded, succeeded),
            (guarded, passes),
            "{branch}: {}",
            job.log
        );
    }
}

/// What GitHub's own action does with `ref`, `fetch-depth: 0`: a commit, on no branch.
fn check_out(scene: &Scene, commit: &str) {
    let workspace = scene.world.path("runner/workspace");
    fs::remove_dir_all(&workspace).unwrap();
    fs::create_dir(&workspace).unwrap();
    let url = scene.manager.url.as_str();
    scene
        .world
        .git(&workspace, &["init", "--quiet", "--initial-branch=main"]);
    scene.world.git(
        &workspace,
        &[
            "fetch",
            "--quiet",
            url,
            "+refs/heads/*:refs/remotes/origin/*",
        ],
    );
    scene
        .world
        .git(&workspace, &["checkout", "--quiet", "--detach", commit]);
}

#[test]
fn without_a_directory_they_are_printed() {
    let world = generated("dayfly");
    let words = add("hello-service", ["acme/hello-service", "acme/hello-infra"]);
    let place = words
        .iter()
        .position(|word| *word == "--workflows")
        .unwrap();
    let printing = [&words[..place], &words[place + 2..]].concat();
    let said = world.dayfly(&printing).succeeded().stdout;
    for (path, text) in workflows(&world.path("sources")) {
        assert!(
            said.contains(&format!("\n# {path}\n{text}")),
            "{path}: {said}"
        );
    }
}
