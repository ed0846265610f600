//! A sweep over ten thousand environments of a hundred repositories, and what it asks.

use std::fmt::Write as _;

use crate::support::MANAGER;
use crate::support::sweep_scene::SweepScene;

const REPOSITORIES: u64 = 100;
const EACH: u64 = 100;

#[test]
fn one_request_for_each_page_and_each_removal() {
    let scene = SweepScene::new();
    let sha = "a".repeat(40);
    let name = |repository: u64| format!("acme/repository-{repository}");
    let mut rules = String::new();
    let mut files = Vec::new();
    let mut names = vec![MANAGER.to_owned()];
    for repository in 0..REPOSITORIES {
        let name = name(repository);
        writeln!(
            rules,
            "source \"{name}\" {{\n  code_version = pull_request.head_sha\n}}"
        )
        .unwrap();
        scene.fake().repository(&name, 1_000 + repository, None);
        scene.fake().open_all(&name, 1..=EACH, &sha);
        for number in 1..=EACH {
            let id = format!("{:08x}", repository * EACH + number);
            let module = format!("acme-repository-{repository}-{number}-{id}");
            let text = format!(
                "module \"{module}\" {{\n  source = \"../template\"\n\n  environment   = \"{id}\"\n  \
                 code_version  = \"{sha}\"\n  pull_request  = \"{name}#{number}\"\n  \
                 repository_id = {}\n  event_at      = \"2026-11-21T09:00:00Z\"\n}}\n",
                1_000 + repository
            );
            files.push((format!("many/environments/{module}.tf"), text));
        }
        names.push(name);
    }
    // Three have closed without a word, and one repository has more than a page of others.
    for repository in [3, 50, 99] {
        scene.fake().close(&name(repository), 7);
    }
    scene.fake().open_all(&name(5), 101..=150, &sha);
    for number in 101..=150 {
        scene.fake().name_branch(&name(5), number, "renovate/all");
    }
    files.push(("many/service.hcl".to_owned(), rules));
    let template = scene
        .scene()
        .manager
        .read("main", "hello-service/environment.tf.tera");
    files.push(("many/environment.tf.tera".to_owned(), template.unwrap()));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    scene.scene().manager.commit("main", &files);
    scene
        .scene()
        .manager
        .remove("main", &["hello-service/service.hcl"]);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    scene.grant(&names);

    let swept = scene.sweep(&[]);
    let pages = REPOSITORIES + 1;
    assert_eq!(
        swept["requests"],
        pages + 3,
        "a request for each page and each removal"
    );
    let asked = scene.fake().requests();
    assert_eq!(asked.len() as u64, pages + 3);
    let single = asked.iter().filter(|one| !one.ends_with("/pulls"));
    assert_eq!(single.count(), 3);
    assert_eq!(
        (&swept["counts"]["kept"], &swept["counts"]["removed"]),
        (&9_997.into(), &3.into())
    );
}
