//! Proposals beside one another: whose a branch is, and whose an id.

use serde_json::Value;

use crate::support::{GithubScene, PullRequest, SERVICE_10, Scene, TOKEN};

const BRANCH: &str = "dayfly/hello-service/acme-hello-service-10-ca6d5eab";
const RULES: &str = "hello-service/service.hcl";

/// A person's word about a pull request, proposed.
fn propose(scene: &GithubScene, words: &[&str]) -> Value {
    let words = [words, &["--propose"]].concat();
    let told = scene.dayfly(&[("DAYFLY_TOKEN", TOKEN)], &words);
    told.succeeded().json()
}

fn upsert(scene: &GithubScene, pull_request: &str, sha: &str) -> Value {
    let words = ["env", "upsert", pull_request, "--head-branch", "x"];
    propose(scene, &[&words[..], &["--head-sha", sha]].concat())
}

#[test]
fn names_that_differ_in_a_dot_share_no_branch() {
    let scene = GithubScene::new();
    let manager = &scene.scene.manager;
    let rules = manager.read("main", RULES).unwrap();
    let more = "source \"acme/hello.service\" {\n  code_version = pull_request.head_sha\n  \
                infra_repository_branch = \"main\"\n  fork = pull_request.fork\n}\n";
    manager.commit("main", &[(RULES, &format!("{rules}{more}"))]);

    let first = upsert(&scene, "acme/hello-service#10", "aaaaaaaa");
    let second = upsert(&scene, "acme/hello.service#10", "bbbbbbbb");
    assert_eq!(
        (&first["action"], &first["environment"]),
        (&Value::from("created"), &Value::from(SERVICE_10)),
        "{first}"
    );
    assert_eq!(second["action"], "created", "{second}");
    assert_eq!(second["proposal"]["number"], 2);
    let id = second["environment"].as_str().unwrap();
    let other = format!("dayfly/hello-service/acme-hello-service-10-{id}");
    let both = || {
        let mut names = vec![BRANCH.to_owned(), other.clone(), "main".to_owned()];
        names.sort();
        names
    };
    assert_eq!(manager.branches(), both());

    // Each is followed on its own branch, and ended there.
    for (pull_request, sha, number) in [
        ("acme/hello.service#10", "cccccccc", 2),
        ("acme/hello-service#10", "dddddddd", 1),
    ] {
        let followed = upsert(&scene, pull_request, sha);
        assert_eq!(followed["action"], "updated", "{followed}");
        assert_eq!(followed["proposal"]["number"], number);
    }
    assert_eq!(manager.branches(), both());
    let ended = propose(&scene, &["env", "delete", "acme/hello.service#10"]);
    assert_eq!(ended["action"], "deleted", "{ended}");
    assert_eq!(manager.branches(), [BRANCH, "main"]);
    let again = propose(&scene, &["env", "delete", "acme/hello.service#10"]);
    assert_eq!(again["action"], "absent", "{again}");
    assert_eq!(manager.branches(), [BRANCH, "main"]);
}

/// Begins a branch as another pull request's proposal has it that holds the id of the service's
/// first one.
fn hold(scene: &GithubScene) {
    let name = format!("dayfly/hello-service/acme-hello-infra-3-{SERVICE_10}");
    scene.scene.manager.branch(&name, "main");
}

#[test]
fn id_that_is_proposed_is_taken() {
    let longer = |outcome: &Value| {
        let id = outcome["environment"].as_str().unwrap();
        assert_eq!(id.len(), 9, "{outcome}");
        assert!(id.starts_with(SERVICE_10), "{outcome}");
    };
    let pull_request = PullRequest::service();
    let scene = GithubScene::new();
    hold(&scene);
    let opened = scene.propose(1, "opened", &pull_request);
    longer(&opened);
    let again = scene.propose(1, "opened", &pull_request);
    assert_eq!(again["action"], "unchanged", "{again}");
    longer(&again);

    // Who writes without a proposal looks at the same branches.
    let written = scene.scene.event_at(2, "opened", &pull_request);
    longer(&written.succeeded().json());
}

#[test]
fn own_proposal_takes_no_id_from_its_pull_request() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    scene.propose(1, "opened", &pull_request);
    let written = scene.scene.event_at(2, "opened", &pull_request);
    let written = written.succeeded().json();
    assert_eq!(written["environment"], SERVICE_10, "{written}");
    assert_eq!(written["path"], Scene::file(&pull_request, SERVICE_10));
}

#[test]
fn of_two_that_take_one_id_at_once_one_gives_way() {
    let scene = GithubScene::new();
    let manager = &scene.scene.manager;
    // The other one's push lands with this one's, unseen by it.
    let script = format!(
        "git update-ref refs/heads/dayfly/hello-service/acme-hello-infra-3-{SERVICE_10} main"
    );
    manager.hook("post-receive", &script);
    let opened = scene.propose(1, "opened", &PullRequest::service());
    let id = opened["environment"].as_str().unwrap();
    assert!(id.len() == 9 && id.starts_with(SERVICE_10), "{opened}");
    assert_eq!(opened["proposal"]["number"], 1);
    let names = [
        format!("dayfly/hello-service/acme-hello-infra-3-{SERVICE_10}"),
        format!("dayfly/hello-service/acme-hello-service-10-{id}"),
        "main".to_owned(),
    ];
    assert_eq!(manager.branches(), names);
}
