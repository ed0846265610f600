//! A GitHub App writes the manager repository: its token is asked for, used, and never shown.

use std::fs;

use crate::support::{GithubScene, Grant, MANAGER, PullRequest, SERVICE, World};

const KEY: &str = include_str!("../fixtures/github-app.pem");

/// A server that opens for the App's tokens only (and for one that nobody has).
fn scene() -> GithubScene {
    let scene = GithubScene::inside(World::with_token("nobody's"));
    let grant = Grant::new(
        &[MANAGER, SERVICE],
        &[
            ("contents", "write"),
            ("pull_requests", "write"),
            ("administration", "write"),
        ],
    );
    scene.github.install_app("Iv23abc", KEY, 99, grant);
    scene
        .scene
        .world
        .server
        .also_admit(scene.github.opens_git());
    fs::write(scene.scene.world.path("app.pem"), KEY).unwrap();
    scene
}

#[test]
fn app_token_writes_and_is_not_shown() {
    let scene = scene();
    let pull_request = PullRequest::service();
    let path = scene.scene.world.path("app.pem");
    let one_line = KEY.replace('\n', "\\n");
    let cases = [
        (path.to_str().unwrap(), None, None),
        (KEY, Some("99"), None),
        (&one_line, None, Some("--propose")),
    ];
    for (minute, (key, installation, propose)) in (1..).zip(cases) {
        let head = format!("{minute}").repeat(40);
        let words = scene.event(minute, "synchronize", &pull_request.at(&head));
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.extend(propose);
        let mut variables = vec![
            ("DAYFLY_APP_ID", "Iv23abc"),
            ("DAYFLY_APP_KEY", key),
            ("GITHUB_ACTIONS", "true"),
            ("DAYFLY_LOG", "debug"),
        ];
        variables.extend(installation.map(|number| ("DAYFLY_APP_INSTALLATION", number)));
        let output = scene.dayfly(&variables, &words).succeeded();
        let outcome = output.json();
        assert!(outcome["commit"].is_string(), "{outcome}");
        assert_eq!(outcome["proposal"].is_object(), propose.is_some());

        let given = scene.github.given_tokens();
        assert_eq!(given.len() as u32, minute, "one token for each job");
        for (token, _) in &given {
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(!said.contains(token.as_str()), "{said}");
            assert!(
                !said.contains("BEGIN RSA") && !said.contains("eyJ"),
                "{said}"
            );
        }
        let (_, grant) = given.last().unwrap();
        assert_eq!(
            grant.repositories,
            [MANAGER],
            "for the manager repository alone"
        );
        let mut asked = vec!["contents"];
        asked.extend(propose.map(|_| "pull_requests"));
        assert_eq!(grant.permissions.keys().collect::<Vec<_>>(), asked);
    }
    let asks = |word: &str| {
        let requests = scene.github.requests();
        requests.iter().filter(|one| one.ends_with(word)).count()
    };
    assert_eq!(
        asks("/installation"),
        2,
        "a given installation is not looked up"
    );
}

#[test]
fn an_app_that_cannot_be() {
    let scene = scene();
    let pull_request = PullRequest::service();
    let words = scene.event(1, "opened", &pull_request);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let id = ("DAYFLY_APP_ID", "Iv23abc");
    let key = ("DAYFLY_APP_KEY", KEY);
    for (variables, code, expected) in [
        (vec![id], 2, "DAYFLY_APP_KEY is not set"),
        (vec![key], 2, "DAYFLY_APP_ID is not set"),
        (vec![id, key, ("DAYFLY_TOKEN", "x")], 2, "unset one"),
        (
            vec![id, ("DAYFLY_APP_KEY", "-----BEGIN X")],
            2,
            "no RSA key",
        ),
        (vec![id, ("DAYFLY_APP_KEY", "/no/file")], 2, "neither a key"),
        (
            vec![("DAYFLY_APP_ID", "other"), key],
            5,
            "access denied to the GitHub App of DAYFLY_APP_ID and DAYFLY_APP_KEY",
        ),
        (
            vec![id, key, ("DAYFLY_APP_INSTALLATION", "7")],
            5,
            "knows none",
        ),
    ] {
        let output = scene.dayfly(&variables, &words).exited(code);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    }
    assert_eq!(scene.github.given_tokens().len(), 0);
}
