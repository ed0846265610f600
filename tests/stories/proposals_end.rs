//! How proposals end: turned down by a person, merged, or withdrawn while others write.

use std::fs;

use serde_json::{Value, json};

use crate::support::{GithubScene, MANAGER, Merge, PullRequest, SERVICE_10, Scene, TOKEN};

const BRANCH: &str = "dayfly/hello-service/acme-hello-service-10-ca6d5eab";

#[track_caller]
fn says(outcome: &Value, action: &str, reason: &str) {
    assert_eq!(outcome["action"], action, "{outcome}");
    let told = outcome["reason"].as_str().unwrap_or_default();
    assert!(told.contains(reason), "{outcome}");
}

fn standing(scene: &GithubScene) -> bool {
    let path = Scene::file(&PullRequest::service(), SERVICE_10);
    scene.scene.manager.read("main", &path).is_some()
}

/// Sends a payload, with `--propose`.
fn send(scene: &GithubScene, payload: &Value) -> Value {
    let path = scene.scene.world.path("sent.json");
    fs::write(&path, payload.to_string()).unwrap();
    let path = path.to_str().unwrap();
    let words = ["event", "--event-name", "pull_request_target", "--propose"];
    let words = [&words[..], &["--event-path", path]].concat();
    let told = scene.dayfly(&[("DAYFLY_TOKEN", TOKEN)], &words);
    told.succeeded().json()
}

#[test]
fn close_that_was_turned_down_is_not_proposed_again() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    scene.scene.event_at(1, "opened", &pull_request).succeeded();
    assert_eq!(
        scene.propose(2, "closed", &pull_request)["proposal"]["number"],
        1
    );
    scene.github.close(MANAGER, 1);
    for is_deleted in [false, true] {
        if is_deleted {
            scene.scene.manager.delete_branch(BRANCH);
        }
        says(
            &scene.propose(2, "closed", &pull_request),
            "ignored",
            "#1 was closed",
        );
        // Nor by what is said of a pull request that has ended.
        let mut labeled = pull_request.payload("labeled", 3);
        labeled["pull_request"]["state"] = json!("closed");
        says(&send(&scene, &labeled), "ignored", "#1 was closed");
        assert_eq!(scene.proposals(), [(1, "closed".to_owned())]);
    }

    // A later close is another question, and so is a person's word.
    let later = scene.propose(9, "closed", &pull_request);
    assert_eq!(later["proposal"]["number"], 2, "{later}");
    scene.github.close(MANAGER, 2);
    let words = ["env", "delete", "acme/hello-service#10", "--propose"];
    let removed = scene.dayfly(&[("DAYFLY_TOKEN", TOKEN)], &words);
    assert_eq!(removed.succeeded().json()["proposal"]["number"], 3);
}

#[test]
fn no_to_a_removal_is_no_answer_to_the_close() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    scene.scene.event_at(1, "opened", &pull_request).succeeded();
    let unwanted = PullRequest {
        labels: vec!["no-preview".to_owned()],
        ..pull_request.clone()
    };
    let removed = scene.propose(2, "labeled", &unwanted);
    assert_eq!(removed["action"], "deleted", "{removed}");
    scene.github.close(MANAGER, 1);
    // A person's no to the label counts for all that the label brings about.
    for (minute, action) in [(2, "labeled"), (3, "synchronize")] {
        says(
            &scene.propose(minute, action, &unwanted),
            "ignored",
            "#1 was closed",
        );
    }
    let closed = scene.propose(4, "closed", &unwanted);
    assert_eq!(closed["action"], "deleted", "{closed}");
    assert_eq!(closed["proposal"]["number"], 2);
    scene.github.merge(MANAGER, 2, Merge::SquashAndDelete);
    assert!(!standing(&scene));
}

#[test]
fn withdrawal_tells_what_was_done_while_others_write() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    scene.propose(1, "opened", &pull_request);
    // Somebody else's commit lands while the branch is deleted.
    let script = format!(
        "if test -z \"$(git for-each-ref refs/heads/{BRANCH})\"; then\n\
         commit=$(git -c user.name=Bob -c user.email=bob@people.example commit-tree -p main -m other 'main^{{tree}}')\n\
         git update-ref refs/heads/main $commit\n\
         fi"
    );
    let manager = &scene.scene.manager;
    let tip = manager.tip("main");
    manager.hook("post-receive", &script);
    let closed = scene.propose(2, "closed", &pull_request);
    assert_ne!(manager.tip("main"), tip);
    says(&closed, "deleted", "only proposed");
    assert_eq!(closed["proposal"]["number"], 1);
    assert_eq!(manager.branches(), ["main"]);
}

#[test]
fn proposal_merged_while_it_is_withdrawn_is_removed() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    scene.propose(1, "opened", &pull_request);
    // A person merges, as by a push of one's own, when the close is remembered already.
    let script = format!(
        "if test -z \"$(git for-each-ref refs/heads/{BRANCH})\"; then\n\
         git update-ref refs/heads/main {}\n\
         fi",
        scene.scene.manager.tip(BRANCH).unwrap()
    );
    scene.scene.manager.hook("post-receive", &script);
    let closed = scene.propose(2, "closed", &pull_request);
    scene.scene.manager.hook("post-receive", "");
    assert!(standing(&scene), "the merge landed");
    assert_eq!(closed["action"], "deleted", "{closed}");
    assert_eq!(closed["proposal"]["number"], 2, "its removal is proposed");
    assert_eq!(
        scene.github.pulls(MANAGER)[1]["title"],
        "hello-service: remove acme/hello-service#10"
    );
}

#[test]
fn close_after_a_proposed_removal_changes_nothing() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    scene.scene.event_at(1, "opened", &pull_request).succeeded();
    let unwanted = PullRequest {
        labels: vec!["no-preview".to_owned()],
        ..pull_request.clone()
    };
    scene.propose(2, "labeled", &unwanted);
    let tip = scene.scene.manager.tip(BRANCH);
    let closed = scene.propose(3, "closed", &unwanted);
    assert_eq!(closed["action"], "unchanged", "{closed}");
    assert_eq!(closed["proposal"]["number"], 1);
    assert_eq!(scene.scene.manager.tip(BRANCH), tip);
    // What is proposed now is the end: a no to it is one to the close.
    scene.github.close(MANAGER, 1);
    says(
        &scene.propose(3, "closed", &unwanted),
        "ignored",
        "#1 was closed",
    );
    // Nothing from before it comes back.
    let late = scene.propose(2, "unlabeled", &pull_request);
    says(&late, "ignored", "#1 was closed");
    assert_eq!(scene.proposals().len(), 1);
}

#[test]
fn no_token_goes_out_in_clear_text() {
    let scene = GithubScene::new();
    let words = ["env", "delete", "acme/hello-service#10", "--propose"];
    let manager = ["--manager", "http://git.example/acme/previews.git"];
    let api = scene.github.url();
    let variables = [("DAYFLY_TOKEN", TOKEN), ("GITHUB_API_URL", api.as_str())];
    let words = [&words[..], &manager].concat();
    let told = scene.scene.world.dayfly_with(&variables, &words).exited(2);
    insta::assert_snapshot!(told.stderr);
    assert_eq!(scene.github.requests(), [""; 0]);
}
