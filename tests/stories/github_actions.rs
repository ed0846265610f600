//! In a workflow: what the next steps are told, and what the runner is not told.

use std::fs;

use crate::support::Scene;

const UPSERT: [&str; 7] = [
    "env",
    "upsert",
    "acme/hello-service#10",
    "--head-sha",
    "aaaaaaaa",
    "--head-branch",
    "x",
];

#[test]
fn the_next_steps_are_told_what_was_done() {
    let scene = Scene::new();
    let file = scene.world.path("output");
    fs::write(&file, "earlier=1").unwrap();
    let variables = [("GITHUB_OUTPUT", file.to_str().unwrap())];
    let mut arguments = UPSERT.to_vec();
    arguments.extend(["--manager", &scene.manager.url]);
    scene.world.dayfly_with(&variables, &arguments).succeeded();
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let tip = scene.manager.tip("main").unwrap();
    assert_eq!(lines[0], "earlier=1");
    let told: Vec<(&str, &str)> = lines[1..]
        .chunks(3)
        .map(|entry| {
            let (name, delimiter) = entry[0].split_once("<<").unwrap();
            assert_eq!(entry[2], delimiter);
            assert_eq!(delimiter.len(), 32);
            (name, entry[1])
        })
        .collect();
    assert_eq!(
        told,
        [
            ("action", "created"),
            ("environment", "ca6d5eab"),
            ("url", "https://ca6d5eab.hello-service.preview.example.com"),
            (
                "path",
                "hello-service/environments/acme-hello-service-10-ca6d5eab.tf"
            ),
            ("commit", tip.as_str()),
            (
                "reason",
                "unordered: no --at was given, the last to arrive wins"
            ),
        ]
    );

    let nowhere = [("GITHUB_OUTPUT", "/no/such/directory/output")];
    let said = scene.world.dayfly_with(&nowhere, &arguments).exited(5);
    assert!(said.stdout.contains("unchanged"), "{said:?}");
    assert!(
        said.stderr.contains("cannot write the outputs of the step"),
        "{said:?}"
    );
}

#[test]
fn nobodys_words_command_the_runner() {
    let scene = Scene::new();
    scene.manager.hook(
        "pre-receive",
        "echo '::set-env name=A::b' >&2; echo '##[set-env name=A]b' >&2; exit 1",
    );
    let variables = [("GITHUB_ACTIONS", "true")];
    let mut refused = UPSERT.to_vec();
    refused.extend(["--manager", &scene.manager.url]);
    let hostile = ["env", "upsert", "##[error]x", "--manager", "x"];
    let unknown = ["::error::x"];
    for arguments in [&refused[..], &hostile, &unknown] {
        let said = scene.world.dayfly_with(&variables, arguments);
        assert_ne!(said.status, 0, "{said:?}");
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(!all.contains("##["), "{all}");
        let is_command = |line: &str| line.trim_start().starts_with("::");
        assert!(!all.lines().any(is_command), "{all}");
    }
    // Elsewhere words stay as they are.
    let said = scene.world.dayfly(&refused).stderr;
    assert!(said.contains("##[set-env"), "{said}");
}
