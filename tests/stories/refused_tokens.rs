//! Who is refused is told what was tried, with what, what the server said, and what to do.

use std::fmt::Write as _;

use crate::support::World;
use crate::support::world::Output;

const RIGHT: &str = "ghs_r1ghtT0ken";
const WRONG: &str = "ghs_wr0ngT0ken";

const UPSERT: [&str; 7] = [
    "env",
    "upsert",
    "acme/x#1",
    "--head-sha",
    "abcdef12",
    "--head-branch",
    "x",
];

/// A server that opens for one token only, with a repository that has a commit.
fn world() -> (World, String) {
    let world = World::with_token(RIGHT);
    let manager = world.repository("acme/previews");
    let source = "source \"acme/x\" {\n  code_version = pull_request.head_sha\n}\n";
    let template = "module {{ module }} {\n  source = \"../template\"\n  environment = {{ environment }}\n  \
                    pull_request = {{ pull_request }}\n  code_version = {{ code_version }}\n}\n";
    manager.commit(
        "main",
        &[
            ("x/service.hcl", source),
            ("x/environment.tf.tera", template),
        ],
    );
    (world, manager.url)
}

fn run(world: &World, url: &str, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let words = [words, &["--manager", url]].concat();
    world.dayfly_with(variables, &words)
}

/// What was said, with a name for the server's address.
fn said(world: &World, output: Output) -> String {
    let output = output.exited(5);
    assert_eq!(output.stdout, "");
    for secret in [RIGHT, WRONG] {
        assert!(!output.stderr.contains(secret), "{}", output.stderr);
    }
    output
        .stderr
        .replace(&world.server.url(""), "http://SERVER/")
}

#[test]
fn whoever_is_refused_is_named() {
    let (world, url) = world();
    let here = world.server.url("");
    let place = url.split_once("://").unwrap().1;
    let with_password = format!("http://bob:{WRONG}@{place}");
    let missing = url.replace("previews", "nothing");
    let mut told = String::new();
    let dayfly = [("DAYFLY_TOKEN", WRONG)];
    let right = [("DAYFLY_TOKEN", RIGHT)];
    let github = [
        ("GITHUB_TOKEN", WRONG),
        ("GITHUB_SERVER_URL", here.as_str()),
    ];
    for (title, url, variables) in [
        ("a wrong token", &url, &dayfly[..]),
        ("a workflow's wrong token", &url, &github),
        ("a wrong password in the address", &with_password, &[]),
        ("none", &url, &[]),
        ("a repository that is not there", &missing, &right),
    ] {
        for words in [&["env", "list"][..], &UPSERT] {
            let output = run(&world, url, words, variables);
            let _ = writeln!(told, "# {title}: {}\n{}", words[1], said(&world, output));
        }
    }
    for (title, path, status, words) in [
        ("it has expired", "", 401, "Invalid username or token."),
        (
            "it may not read",
            "",
            403,
            "Resource protected by organization SAML enforcement.",
        ),
        (
            "it may not write",
            "receive-pack",
            403,
            "Write access to repository not granted.",
        ),
        ("it may not see", "", 404, "Repository not found."),
    ] {
        world.server.refuse(path, status, words);
        let output = run(&world, &url, &UPSERT, &right);
        let _ = writeln!(told, "# {title}\n{}", said(&world, output));
    }
    insta::assert_snapshot!(told);
}
