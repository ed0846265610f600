//! `--propose`: environment files that come by pull request, and GitHub's own word on events.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{
    BareRepository, GithubScene, Grant, MANAGER, Merge, PullRequest, SERVICE, SERVICE_10, Scene,
    TOKEN, Trouble,
};

const BRANCH: &str = "dayfly/hello-service/acme-hello-service-10-ca6d5eab";

fn commits(manager: &BareRepository, branch: &str) -> usize {
    manager.subjects(branch).len()
}

fn file(scene: &GithubScene, branch: &str) -> Option<String> {
    let path = Scene::file(&PullRequest::service(), SERVICE_10);
    scene.scene.manager.read(branch, &path)
}

#[track_caller]
fn says(outcome: &Value, action: &str, reason: &str) {
    assert_eq!(outcome["action"], action, "{outcome}");
    let told = outcome["reason"].as_str().unwrap_or_default();
    assert!(told.contains(reason), "{outcome}");
}

#[test]
fn proposal_opens_and_follows() {
    let scene = GithubScene::new();
    let manager = &scene.scene.manager;
    let tip = manager.tip("main");
    let pull_request = PullRequest::service();

    let opened = scene.propose(1, "opened", &pull_request);
    assert_eq!(opened["action"], "created");
    assert_eq!(opened["proposal"]["number"], 1);
    assert_eq!(opened["commit"].as_str(), manager.tip(BRANCH).as_deref());
    assert_eq!(
        manager.tip("main"),
        tip,
        "the manager's branch stands as it stood"
    );
    let pulls = scene.github.pulls(MANAGER);
    assert_eq!(pulls.len(), 1);
    assert_eq!(pulls[0]["html_url"], opened["proposal"]["url"]);
    assert_eq!(
        pulls[0]["title"],
        "hello-service: open acme/hello-service#10"
    );
    let body = pulls[0]["body"].as_str().unwrap();
    for part in ["`acme/hello-service#10`", SERVICE_10, "preview.example.com"] {
        assert!(body.contains(part), "{body}");
    }

    let again = scene.propose(1, "opened", &pull_request);
    assert_eq!(again["action"], "unchanged");
    assert_eq!(again["proposal"]["number"], 1);
    assert_eq!(commits(manager, BRANCH), commits(manager, "main") + 1);
    assert_eq!(
        scene.github.pulls(MANAGER)[0]["body"],
        body,
        "nothing is said twice"
    );

    let newer = pull_request.at(&"b".repeat(40));
    let followed = scene.propose(2, "synchronize", &newer);
    assert_eq!(followed["action"], "updated");
    assert_eq!(followed["proposal"]["number"], 1);
    assert_eq!(scene.proposals(), [(1, "open".to_owned())]);
    assert_eq!(commits(manager, BRANCH), commits(manager, "main") + 2);
    assert!(file(&scene, BRANCH).unwrap().contains(&"b".repeat(40)));
    let body = scene.github.pulls(MANAGER)[0]["body"].clone();
    assert!(body.as_str().unwrap().contains(&"b".repeat(40)), "{body}");

    // An older event changes nothing of what is proposed.
    let late = scene.propose(1, "synchronize", &pull_request);
    says(&late, "ignored", "stale");
    assert!(file(&scene, BRANCH).unwrap().contains(&"b".repeat(40)));
}

#[test]
fn proposal_is_merged_then_updated() {
    for how in [Merge::Commit, Merge::SquashAndDelete] {
        let scene = GithubScene::new();
        let pull_request = PullRequest::service();
        scene.propose(1, "opened", &pull_request);
        scene.github.merge(MANAGER, 1, how);
        assert!(file(&scene, "main").is_some());

        let again = scene.propose(1, "opened", &pull_request);
        assert_eq!(again["action"], "unchanged", "{how:?}");
        assert_eq!(again["proposal"], Value::Null);
        assert_eq!(scene.proposals().len(), 1);

        let followed = scene.propose(2, "synchronize", &pull_request.at(&"b".repeat(40)));
        assert_eq!(followed["action"], "updated");
        assert_eq!(followed["proposal"]["number"], 2);
        let pulls = scene.github.pulls(MANAGER);
        assert_eq!(
            pulls[1]["title"],
            "hello-service: update acme/hello-service#10"
        );
        let manager = &scene.scene.manager;
        let range = format!("main..{BRANCH}");
        let count = manager.git(&["rev-list", "--count", &range]);
        assert_eq!(count, "1", "it begins where the manager's branch stands");
        scene.github.merge(MANAGER, 2, how);
        assert!(file(&scene, "main").unwrap().contains(&"b".repeat(40)));
    }
}

#[test]
fn proposal_of_a_removal() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    scene.scene.event_at(1, "opened", &pull_request).succeeded();
    // An update is proposed when the pull request closes: one proposal becomes the other.
    scene.propose(2, "synchronize", &pull_request.at(&"b".repeat(40)));
    let closed = scene.propose(3, "closed", &pull_request.at(&"b".repeat(40)));
    assert_eq!(closed["action"], "deleted");
    assert_eq!(closed["proposal"]["number"], 1);
    assert!(
        file(&scene, "main").is_some(),
        "it stands until that is merged"
    );
    let pulls = scene.github.pulls(MANAGER);
    assert_eq!(
        pulls[0]["title"],
        "hello-service: remove acme/hello-service#10"
    );
    let again = scene.propose(3, "closed", &pull_request.at(&"b".repeat(40)));
    assert_eq!(again["action"], "unchanged");
    let late = scene.propose(2, "synchronize", &pull_request.at(&"b".repeat(40)));
    assert_ne!(
        late["action"], "updated",
        "a late event brings nothing back"
    );
    assert_eq!(file(&scene, BRANCH), None);

    scene.github.merge(MANAGER, 1, Merge::SquashAndDelete);
    assert_eq!(file(&scene, "main"), None);
    let late = scene.propose(2, "synchronize", &pull_request.at(&"c".repeat(40)));
    says(&late, "ignored", "stale");
    assert_eq!(scene.proposals().len(), 1);

    // A removal by a person's word is proposed as well, and taken back by a reopening.
    scene
        .scene
        .event_at(4, "reopened", &pull_request)
        .succeeded();
    let words = ["env", "delete", "acme/hello-service#10", "--propose"];
    let removed = scene
        .dayfly(&[("DAYFLY_TOKEN", TOKEN)], &words)
        .succeeded()
        .json();
    assert_eq!(removed["proposal"]["number"], 2);
    let back = scene.propose(9, "reopened", &pull_request);
    assert_eq!(back["action"], "updated", "{back}");
    assert!(file(&scene, BRANCH).is_some());
    assert_eq!(scene.proposals()[1], (2, "open".to_owned()));
}

#[test]
fn closed_before_merge_leaves_nothing() {
    let scene = GithubScene::new();
    let manager = &scene.scene.manager;
    let tip = manager.tip("main");
    let pull_request = PullRequest::service();
    scene.propose(1, "opened", &pull_request);
    let closed = scene.propose(2, "closed", &pull_request);
    says(&closed, "deleted", "only proposed");
    assert_eq!(closed["proposal"]["number"], 1);
    assert_eq!(scene.proposals(), [(1, "closed".to_owned())]);
    assert_eq!(manager.branches(), ["main"]);
    assert_eq!(manager.tip("main"), tip);

    let again = scene.propose(2, "closed", &pull_request);
    assert_eq!(again["action"], "absent");
    let late = scene.propose(1, "synchronize", &pull_request);
    says(&late, "ignored", "stale");
    assert_eq!(manager.branches(), ["main"]);

    let back = scene.propose(3, "reopened", &pull_request);
    assert_eq!(back["proposal"]["number"], 2);

    // dayfly closes it, no person does: the same head may be proposed again.
    let mut unwanted = pull_request.clone();
    unwanted.labels.push("no-preview".to_owned());
    says(
        &scene.propose(4, "labeled", &unwanted),
        "deleted",
        "only proposed",
    );
    assert_eq!(manager.branches(), ["main"]);
    let back = scene.propose(5, "unlabeled", &pull_request);
    assert_eq!(back["proposal"]["number"], 3, "{back}");
}

#[test]
fn a_person_says_no() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    for (is_deleted, at) in [(false, 0), (true, 10)] {
        let shas = ["a", "b"].map(|letter| format!("{letter}{at:02}").repeat(13) + "0");
        scene.propose(at + 1, "synchronize", &pull_request.at(&shas[0]));
        let number = scene.proposals().len() as u64;
        scene.github.close(MANAGER, number);
        if is_deleted {
            scene.scene.manager.delete_branch(BRANCH);
        }
        let same = scene.propose(at + 2, "labeled", &pull_request.at(&shas[0]));
        says(&same, "ignored", "was closed");
        assert_eq!(scene.proposals().len() as u64, number);
        let newer = scene.propose(at + 3, "synchronize", &pull_request.at(&shas[1]));
        assert_eq!(newer["proposal"]["number"], number + 1, "{newer}");
        assert_eq!(scene.proposals().last().unwrap().1, "open");
    }
    // No doubt about an end: nothing is left of a proposal that was turned down.
    scene.github.close(MANAGER, scene.proposals().len() as u64);
    scene.propose(20, "closed", &pull_request);
    assert_eq!(scene.scene.manager.branches(), ["main"]);
}

#[test]
fn a_conflict_is_made_anew() {
    let scene = GithubScene::new();
    let manager = &scene.scene.manager;
    let pull_request = PullRequest::service();
    scene.scene.event_at(1, "opened", &pull_request).succeeded();
    scene.propose(2, "synchronize", &pull_request.at(&"b".repeat(40)));
    let path = Scene::file(&pull_request, SERVICE_10);
    let standing = file(&scene, "main").unwrap();
    let changed = standing.replace(&"a".repeat(40), &"e".repeat(40)) + "# a person's own line\n";
    manager.commit("main", &[(&path, &changed)]);

    let followed = scene.propose(3, "synchronize", &pull_request.at(&"c".repeat(40)));
    assert_eq!(followed["action"], "updated");
    assert_eq!(scene.proposals(), [(1, "open".to_owned())]);
    let proposed = file(&scene, BRANCH).unwrap();
    assert!(proposed.contains(&"c".repeat(40)) && proposed.contains("a person's own line"));
    scene.github.merge(MANAGER, 1, Merge::Commit);
    assert_eq!(file(&scene, "main"), Some(proposed));
}

#[test]
fn two_jobs_one_proposal() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    let api = scene.github.url();
    let jobs: Vec<_> = [(1, "opened"), (1, "labeled"), (1, "opened"), (1, "edited")]
        .into_iter()
        .map(|(minute, action)| {
            let words = scene.event(minute, action, &pull_request);
            let mut command = scene.scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
            command
                .args(words)
                .args(["--propose", "--output", "json", "--manager"])
                .arg(&scene.scene.manager.url)
                .envs([("GITHUB_API_URL", api.as_str()), ("DAYFLY_TOKEN", TOKEN)])
                .stdout(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for job in jobs {
        let output = job.wait_with_output().unwrap();
        assert!(output.status.success());
    }
    assert_eq!(scene.proposals(), [(1, "open".to_owned())]);
    let manager = &scene.scene.manager;
    assert_eq!(commits(manager, BRANCH), commits(manager, "main") + 1);
}

#[test]
fn api_is_down_after_the_push() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    scene.github.trouble(Some(Trouble::NoWrites));
    let failed = scene.proposing(1, "opened", &pull_request).exited(5);
    assert!(failed.stderr.contains(BRANCH), "{}", failed.stderr);
    assert!(failed.stderr.contains("run it again"), "{}", failed.stderr);
    assert!(scene.scene.manager.tip(BRANCH).is_some());
    assert_eq!(scene.proposals(), []);

    scene.github.trouble(None);
    let finished = scene.propose(1, "opened", &pull_request);
    assert_eq!(finished["action"], "unchanged");
    assert_eq!(finished["proposal"]["number"], 1);
    let manager = &scene.scene.manager;
    assert_eq!(commits(manager, BRANCH), commits(manager, "main") + 1);

    // The text of a pull request that was not brought up to date is, by the same event again.
    scene.github.trouble(Some(Trouble::NoWrites));
    let newer = pull_request.at(&"b".repeat(40));
    scene.proposing(2, "synchronize", &newer).exited(5);
    scene.github.trouble(None);
    scene.propose(2, "synchronize", &newer);
    let body = scene.github.pulls(MANAGER)[0]["body"].clone();
    assert!(body.as_str().unwrap().contains(&"b".repeat(40)), "{body}");
}

#[test]
fn a_second_job_comes_between_push_and_pull_request() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    let done = scene.scene.world.path("meanwhile");
    let script = format!(
        "if mkdir {done}; then\n\
         env -i PATH=\"$PATH\" HOME=\"$HOME\" GITHUB_API_URL={api} DAYFLY_TOKEN={TOKEN} {dayfly} {words} \
         --propose --output json --manager {manager} > {done}/said 2>&1\n\
         fi",
        done = done.display(),
        api = scene.github.url(),
        dayfly = env!("CARGO_BIN_EXE_dayfly"),
        words = scene.event(1, "labeled", &pull_request).join(" "),
        manager = scene.scene.manager.url,
    );
    scene.scene.manager.hook("post-receive", &script);
    let first = scene.propose(1, "opened", &pull_request);
    let second = std::fs::read_to_string(done.join("said")).unwrap();
    let second: Value = serde_json::from_str(&second).unwrap_or_else(|_| panic!("{second}"));
    for outcome in [&first, &second] {
        assert_eq!(outcome["proposal"]["number"], 1, "{outcome}");
    }
    assert_eq!(scene.proposals(), [(1, "open".to_owned())]);
    let manager = &scene.scene.manager;
    assert_eq!(commits(manager, BRANCH), commits(manager, "main") + 1);
}

/// The variables of a workflow whose own token sees the service's repository.
fn asking(scene: &GithubScene) -> [(&'static str, &'static str); 2] {
    let grant = Grant::new(&[SERVICE], &[("pull_requests", "read")]);
    scene.github.token("ghs_workflow", grant);
    [
        ("GITHUB_TOKEN", "ghs_workflow"),
        ("GITHUB_SERVER_URL", "http://127.0.0.1:1"),
    ]
}

#[test]
fn late_event_is_ordered_by_github() {
    let scene = GithubScene::new();
    let variables = asking(&scene);
    let pull_request = PullRequest::service();
    let send = |minute: u32, action: &str, pull_request: &PullRequest| {
        let words = scene.event(minute, action, pull_request);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        scene.dayfly(&variables, &words).succeeded().json()
    };
    // The event of the first commit arrives when the second one is there already.
    let newer = pull_request.at(&"b".repeat(40));
    scene
        .github
        .put_pull(SERVICE, &newer.payload("synchronize", 2));
    assert_eq!(send(1, "opened", &pull_request)["action"], "created");
    assert!(file(&scene, "main").unwrap().contains(&"b".repeat(40)));
    assert_eq!(send(2, "synchronize", &newer)["action"], "unchanged");

    // An event that was overtaken by the close acts as one.
    scene.github.put_pull(SERVICE, &newer.payload("closed", 9));
    let ended = send(3, "synchronize", &pull_request.at(&"c".repeat(40)));
    says(
        &ended,
        "deleted",
        "GitHub says that the pull request is closed by now",
    );
    assert_eq!(file(&scene, "main"), None);
    assert_eq!(send(9, "closed", &newer)["action"], "absent");

    // A close that was overtaken by a reopening takes nothing away for good.
    scene
        .github
        .put_pull(SERVICE, &newer.payload("reopened", 20));
    assert_eq!(send(20, "reopened", &newer)["action"], "created");
    send(9, "closed", &newer);
    assert!(file(&scene, "main").is_some());
}

#[test]
fn token_may_not_see() {
    let scene = GithubScene::new();
    let pull_request = PullRequest::service();
    // Nobody knows the pull request, or says so: the event alone is enough.
    let variables = asking(&scene);
    let troubles = [
        (None, "knows none"),
        (Some(Trouble::RateLimit), "rate limit"),
        (Some(Trouble::SecondaryLimit), "rate limit"),
        (Some(Trouble::Down), "answered 502"),
        (Some(Trouble::Hangs), "no answer for 5 seconds"),
    ];
    for (minute, (trouble, words)) in (1..).zip(troubles) {
        scene.github.trouble(trouble);
        let pull_request = pull_request.at(&format!("{minute}").repeat(40));
        let sent = scene.event(minute, "synchronize", &pull_request);
        let sent: Vec<&str> = sent.iter().map(String::as_str).collect();
        let output = scene.dayfly(&variables, &sent).succeeded();
        assert!(output.stderr.contains("warning:"), "{}", output.stderr);
        assert!(output.stderr.contains(words), "{}", output.stderr);
        assert!(file(&scene, "main").unwrap().contains(&pull_request.sha));
    }
    scene.github.trouble(None);

    // A proposal is not possible without: nothing is pushed.
    let sent = scene.event(9, "synchronize", &pull_request.at(&"b".repeat(40)));
    let mut sent: Vec<&str> = sent.iter().map(String::as_str).collect();
    sent.push("--propose");
    for (token, code, words) in [
        (
            "ghs_workflow",
            5,
            "knows none that the token in DAYFLY_TOKEN may see",
        ),
        (
            "ghp_unknown",
            5,
            "access denied to the token in DAYFLY_TOKEN: Bad credentials",
        ),
    ] {
        let output = scene.dayfly(&[("DAYFLY_TOKEN", token)], &sent).exited(code);
        assert!(output.stderr.contains(words), "{}", output.stderr);
        assert!(!output.stderr.contains(token));
    }
    let output = scene.dayfly(&[], &sent).exited(2);
    assert!(output.stderr.contains("DAYFLY_TOKEN"), "{}", output.stderr);
    assert_eq!(scene.scene.manager.branches(), ["main"]);
}
