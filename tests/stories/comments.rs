//! What the pull request is told: one comment, by the workflow's own token.

use std::fs;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::world::Output;
use crate::support::{
    GithubScene, Grant, Limit, MANAGER, Merge, PullRequest, SERVICE, SERVICE_10, TOKEN, Trouble,
};

const BOT: &str = "github-actions[bot]";
const RULES: &str = "hello-service/service.hcl";
const COMMENTS: &str = "/repos/acme/hello-service/issues/10/comments";

/// A workflow's job on the pull request, with a token that may comment.
struct Jobs {
    scene: GithubScene,
}

impl Jobs {
    fn new() -> Self {
        let scene = GithubScene::new();
        scene.github.token(
            "workflow",
            Grant::new(&[SERVICE], &[("pull_requests", "write")]),
        );
        Self { scene }
    }

    fn pull_request() -> PullRequest {
        PullRequest::service()
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let api = self.scene.github.url();
        let server = api.trim_end_matches("/api/v3").to_owned();
        let summary = self.scene.scene.world.path("summary.md");
        vec![
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_SERVER_URL", server),
            ("GITHUB_TOKEN", "workflow".to_owned()),
            ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap().to_owned()),
            ("GITHUB_API_URL", api),
        ]
    }

    /// The arguments of a job about this payload; the fake knows the pull request as it says, unless
    /// it knows it better already.
    fn words(&self, name: &str, payload: &Value) -> Vec<String> {
        let number = payload["number"].as_u64().unwrap();
        let pulls = self.scene.github.pulls(SERVICE);
        let mut known = pulls.iter().filter(|pull| pull["number"] == number);
        let at = payload["pull_request"]["updated_at"].as_str();
        if known.all(|pull| pull["updated_at"].as_str() < at) {
            self.scene.github.put_pull(SERVICE, payload);
        }
        let path = self.scene.scene.world.path(&format!("{name}.json"));
        fs::write(&path, payload.to_string()).unwrap();
        let path = path.to_str().unwrap();
        let manager = &self.scene.scene.manager.url;
        [
            "event",
            "--event-name",
            "pull_request_target",
            "--event-path",
            path,
        ]
        .into_iter()
        .chain(["--manager", manager, "--output", "json"])
        .map(str::to_owned)
        .collect()
    }

    fn send(&self, payload: &Value) -> Output {
        let words = self.words("event", payload);
        let variables = self.variables();
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.scene.scene.world.dayfly_with(&variables, &words)
    }

    /// A job that runs beside the story.
    fn begin(&self, name: &str, payload: &Value) -> Child {
        let words = self.words(name, payload);
        let mut command = self.scene.scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
        command.envs(self.variables()).args(words);
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    /// The event of a minute; what was done.
    #[track_caller]
    fn event(&self, minute: u32, action: &str, pull_request: &PullRequest) -> Value {
        let output = self.send(&pull_request.payload(action, minute)).succeeded();
        assert_eq!(output.stderr, "", "nothing went wrong");
        output.json()
    }

    /// The comments that stand: who wrote them and what they show.
    fn comments(&self) -> Vec<(String, String)> {
        self.scene.github.comments(SERVICE, 10)
    }

    /// The only comment that the bot wrote, without its marker.
    #[track_caller]
    fn told(&self) -> String {
        let comments = self.comments();
        let mut own = comments.iter().filter(|(author, _)| author == BOT);
        let (_, body) = own
            .next()
            .unwrap_or_else(|| panic!("nothing is told: {comments:?}"));
        assert!(own.next().is_none(), "a second comment: {comments:?}");
        let (marker, text) = body.split_once('\n').unwrap();
        assert!(marker.starts_with("<!-- dayfly:comment ") && marker.ends_with(" -->"));
        text.to_owned()
    }

    /// How often a method was called on comments.
    fn calls(&self, method: &str) -> usize {
        let requests = self.scene.github.requests();
        let is_it = |one: &&String| one.starts_with(method) && one.contains("/issues/");
        requests.iter().filter(is_it).count()
    }

    fn set(&self, from: &str, to: &str) {
        let manager = &self.scene.scene.manager;
        let rules = manager.read("main", RULES).unwrap();
        assert!(rules.contains(from), "{from} in {rules}");
        manager.commit("main", &[(RULES, &rules.replacen(from, to, 1))]);
    }

    fn summary(&self) -> String {
        fs::read_to_string(self.scene.scene.world.path("summary.md")).unwrap_or_default()
    }
}

/// The text with what differs from run to run made the same.
fn steady(jobs: &Jobs, text: &str) -> String {
    let manager = &jobs.scene.scene.manager;
    let tip = manager.tip("main").unwrap();
    let server = jobs.scene.github.url().replace("/api/v3", "");
    text.replace(&tip, "TIP")
        .replace(&tip[..8], "TIP")
        .replace(&server, "https://github.example.com")
}

#[test]
fn comment_is_edited_not_repeated() {
    let jobs = Jobs::new();
    let pull_request = Jobs::pull_request();
    jobs.event(1, "opened", &pull_request);
    let opened = jobs.told();
    insta::assert_snapshot!("opened", steady(&jobs, &opened));
    let outcome = jobs.event(2, "synchronize", &pull_request.at(&"b".repeat(40)));
    let pushed = jobs.told();
    assert!(
        pushed.contains("**Written** for commit [`bbbbbbbb`]"),
        "{pushed}"
    );
    let commit = outcome["commit"].as_str().unwrap();
    let path = outcome["path"].as_str().unwrap();
    for page in [
        format!("/acme/previews/blob/{commit}/{path})"),
        format!("/acme/previews/commit/{commit})"),
        format!("/acme/hello-service/commit/{})", "b".repeat(40)),
    ] {
        assert!(pushed.contains(&page), "{page} in {pushed}");
    }
    assert_eq!((jobs.calls("POST"), jobs.calls("PATCH")), (1, 1));

    // What changes nothing is told to nobody: the same again, a late one, an edit of the text.
    let again = jobs.event(2, "synchronize", &pull_request.at(&"b".repeat(40)));
    assert_eq!(again["action"], "unchanged");
    assert_eq!(jobs.event(1, "labeled", &pull_request)["action"], "ignored");
    assert_eq!(
        jobs.event(3, "assigned", &pull_request)["action"],
        "ignored"
    );
    assert_eq!(jobs.told(), pushed);
    assert_eq!((jobs.calls("POST"), jobs.calls("PATCH")), (1, 1));

    jobs.event(4, "closed", &pull_request);
    insta::assert_snapshot!("closed", steady(&jobs, &jobs.told()));
    jobs.event(5, "reopened", &pull_request);
    assert!(jobs.told().contains("**Written** for commit [`aaaaaaaa`]"));
    assert_eq!((jobs.calls("POST"), jobs.calls("DELETE")), (1, 0));

    // Every job's page shows what became of its event.
    let summary = jobs.summary();
    let words = ["Written", "Unchanged", "Ignored", "Removed"];
    for word in words {
        assert!(summary.contains(&format!("**{word}**")), "{summary}");
    }
    assert_eq!(summary.matches("\n### ").count(), 7, "{summary}");
}

#[test]
fn two_jobs_one_comment() {
    let jobs = Jobs::new();
    let pull_request = Jobs::pull_request();
    let newer = pull_request.at(&"b".repeat(40));
    // Both have written, and both have listed no comment, when the first is begun.
    let is_beginning = |request: &str| request == format!("POST {COMMENTS}");
    let held = jobs.scene.github.hold(is_beginning);
    let mut opened = jobs.begin("opened", &pull_request.payload("opened", 1));
    held.wait(1);
    let mut pushed = jobs.begin("pushed", &newer.payload("synchronize", 2));
    held.wait(2);
    assert_eq!(jobs.comments().len(), 0);
    held.release();
    assert!(opened.wait().unwrap().success() && pushed.wait().unwrap().success());
    let told = jobs.told();
    assert!(
        told.contains("**Written** for commit [`bbbbbbbb`]"),
        "{told}"
    );
    assert_eq!(jobs.calls("POST"), 2, "both began one");
    assert!(jobs.calls("DELETE") >= 1);
}

#[test]
fn late_job_overwrites_no_newer_news() {
    let jobs = Jobs::new();
    let pull_request = Jobs::pull_request();
    // It has written, and is about to comment.
    let held = jobs
        .scene
        .github
        .hold(|request| request == format!("GET {COMMENTS}"));
    let mut late = jobs.begin("late", &pull_request.payload("opened", 1));
    held.wait(1);
    let mut closed = jobs.begin("closed", &pull_request.payload("closed", 2));
    held.wait(2);
    held.release();
    assert!(closed.wait().unwrap().success() && late.wait().unwrap().success());
    assert!(jobs.told().contains("**Removed**"), "{}", jobs.told());

    // An older job's edit is on its way, a newer one's overtakes it: who wrote the newer news looks
    // once more and writes it again.
    let jobs = Jobs::new();
    jobs.event(1, "opened", &pull_request);
    let (mut edits, mut has_looked) = (0, false);
    let held = jobs.scene.github.hold(move |request| {
        let is_edit = request.starts_with("PATCH ");
        edits += usize::from(is_edit);
        let is_look = edits == 2 && !has_looked && request == format!("GET {COMMENTS}");
        has_looked |= is_look;
        (is_edit && edits == 1) || is_look
    });
    let newer = pull_request.at(&"b".repeat(40));
    let mut late = jobs.begin("late", &newer.payload("synchronize", 2));
    held.wait(1);
    let mut closed = jobs.begin("closed", &pull_request.payload("closed", 3));
    held.wait(2);
    assert!(jobs.told().contains("**Removed**"));
    held.let_go(1);
    assert!(late.wait().unwrap().success());
    assert!(
        jobs.told().contains("**Written**"),
        "that is wrong for a moment"
    );
    held.release();
    assert!(closed.wait().unwrap().success());
    assert!(jobs.told().contains("**Removed**"), "{}", jobs.told());
}

#[test]
fn token_may_not_comment() {
    let jobs = Jobs::new();
    let pull_request = Jobs::pull_request();
    let hint = "permissions: { pull-requests: write }";
    let grants = [
        (Grant::new(&[SERVICE], &[("pull_requests", "read")]), hint),
        (Grant::new(&[SERVICE], &[]), hint),
        (
            Grant::new(&["acme/other"], &[("pull_requests", "write")]),
            hint,
        ),
    ];
    for (minute, (grant, hint)) in (1..).zip(grants) {
        jobs.scene.github.token("workflow", grant);
        let head = format!("{minute}").repeat(40);
        let said = jobs
            .send(&pull_request.at(&head).payload("synchronize", minute))
            .succeeded();
        assert!(
            said.json()["commit"].is_string(),
            "the environment is written"
        );
        assert!(said.stderr.contains("warning: cannot "), "{}", said.stderr);
        assert!(said.stderr.contains(hint), "{}", said.stderr);
        assert!(!said.stderr.contains("workflow"), "the token is not shown");
    }
    assert_eq!(jobs.comments().len(), 0);

    let grant = Grant::new(&[SERVICE], &[("pull_requests", "write")]);
    jobs.scene.github.token("workflow", grant);
    jobs.scene.github.lock(SERVICE, 10);
    let said = jobs
        .send(&pull_request.at(&"8".repeat(40)).payload("synchronize", 8))
        .succeeded();
    assert!(said.stderr.contains("issue is locked"), "{}", said.stderr);
    assert!(
        said.stderr.contains("unlock the conversation"),
        "{}",
        said.stderr
    );

    jobs.scene.github.trouble(Some(Trouble::NoWrites));
    let said = jobs
        .send(&pull_request.at(&"9".repeat(40)).payload("synchronize", 9))
        .succeeded();
    assert!(
        said.stderr.contains("GitHub answered 502"),
        "{}",
        said.stderr
    );
    let tries = jobs.calls("POST");
    jobs.scene.github.trouble(None);
    assert_eq!(tries, 3, "no write is tried twice");

    // A write that fails comments nothing, and fails as ever.
    jobs.scene.scene.manager.hook("pre-receive", "exit 1");
    let said = jobs.send(&pull_request.payload("synchronize", 10));
    assert_ne!(said.status, 0);
    assert_eq!(jobs.calls("POST"), tries);
}

#[test]
fn limit_of_github_is_waited_for_if_it_ends_soon() {
    let jobs = Jobs::new();
    let pull_request = Jobs::pull_request();
    let limit = |limit| jobs.scene.github.limit(limit);
    limit(Limit::Secondary { retry_after: 1 });
    jobs.event(1, "opened", &pull_request);
    assert!(jobs.told().contains("[`aaaaaaaa`]"));
    limit(Limit::Primary { reset_after: 1 });
    jobs.event(2, "synchronize", &pull_request.at(&"b".repeat(40)));
    assert!(jobs.told().contains("[`bbbbbbbb`]"));

    for (minute, head, limited) in [
        (3, "c", Limit::Secondary { retry_after: 3_000 }),
        (4, "d", Limit::Primary { reset_after: 3_000 }),
    ] {
        limit(limited);
        let edits = jobs.calls("PATCH");
        let payload = pull_request
            .at(&head.repeat(40))
            .payload("synchronize", minute);
        let said = jobs.send(&payload).succeeded();
        assert!(
            said.stderr.contains("rate limit is used up until"),
            "{}",
            said.stderr
        );
        assert!(jobs.told().contains("[`bbbbbbbb`]"));
        assert_eq!(jobs.calls("PATCH"), edits + 1, "one is enough");
    }
}

#[test]
fn comment_of_a_stranger_is_not_taken_over() {
    let jobs = Jobs::new();
    let pull_request = Jobs::pull_request();
    let github = &jobs.scene.github;
    for number in 0..250 {
        github.say(SERVICE, 10, "ann", &format!("I think that {number}"));
    }
    jobs.event(1, "opened", &pull_request);
    let (_, own) = jobs.comments().pop().unwrap();
    for number in 0..100 {
        github.say(SERVICE, 10, "ann", &format!("I also think that {number}"));
    }
    // The very words, before and after; another bot's too, and a quote of the same bot's.
    let newer = own.replace("2026-11-21", "2027-11-21");
    github.say(SERVICE, 10, "eve", &newer);
    github.say(SERVICE, 10, "other[bot]", &own);
    github.say(SERVICE, 10, BOT, &format!("> {own}"));
    let strangers = |comments: Vec<(String, String)>| {
        comments
            .into_iter()
            .filter(|(_, body)| *body != own)
            .collect::<Vec<_>>()
    };
    let before = strangers(jobs.comments());
    jobs.event(2, "synchronize", &pull_request.at(&"b".repeat(40)));
    let after = jobs.comments();
    let bodies: Vec<&str> = after.iter().map(|(_, body)| body.as_str()).collect();
    assert_eq!(after.len(), 250 + 1 + 100 + 3);
    assert!(bodies[250].contains("[`bbbbbbbb`]"), "{}", bodies[250]);
    for (author, body) in &before {
        assert!(
            after.contains(&(author.clone(), body.clone())),
            "{author}: {body}"
        );
    }

    // A pull request on which only a stranger has the marker gets its comment.
    let other = PullRequest::new(SERVICE, 11, &"a".repeat(40), "x");
    jobs.scene
        .github
        .put_pull(SERVICE, &other.payload("opened", 1));
    github.say(SERVICE, 11, "eve", &newer);
    jobs.event(3, "opened", &other);
    let comments = github.comments(SERVICE, 11);
    assert_eq!(comments.len(), 2);
    assert_eq!(comments[1].0, BOT);
    assert_eq!(comments[0].1, newer);

    // A token that is an App's, or a person's, knows its own comments as well.
    for (number, login) in [(12, "acme-previews[bot]"), (13, "ann")] {
        let grant = Grant::new(&[SERVICE], &[("pull_requests", "write")]).of(login);
        github.token("workflow", grant);
        let other = PullRequest::new(SERVICE, number, &"a".repeat(40), "x");
        jobs.event(4, "opened", &other);
        jobs.event(5, "synchronize", &other.at(&"b".repeat(40)));
        let comments = github.comments(SERVICE, number);
        assert_eq!(comments.len(), 1, "{comments:?}");
        assert_eq!(comments[0].0, login);
        assert!(comments[0].1.contains("[`bbbbbbbb`]"));
    }
}

#[test]
fn comment_that_failed_or_was_deleted_comes_with_the_next_event() {
    let jobs = Jobs::new();
    let pull_request = Jobs::pull_request();
    jobs.event(1, "opened", &pull_request);
    jobs.scene.github.delete_comments_of(SERVICE, 10, BOT);
    jobs.event(1, "opened", &pull_request);
    assert!(jobs.told().contains("as it should be"));
    jobs.event(2, "synchronize", &pull_request.at(&"b".repeat(40)));
    assert!(jobs.told().contains("[`bbbbbbbb`]"));

    // Deleted while an edit of it is on its way.
    let held = jobs
        .scene
        .github
        .hold(|request| request.starts_with("PATCH "));
    let mut job = jobs.begin(
        "late",
        &pull_request.at(&"c".repeat(40)).payload("synchronize", 3),
    );
    held.wait(1);
    jobs.scene.github.delete_comments_of(SERVICE, 10, BOT);
    held.release();
    assert!(job.wait().unwrap().success());
    assert!(jobs.told().contains("[`cccccccc`]"));
}

#[test]
fn only_who_can_do_something_hears_that_there_is_none() {
    let jobs = Jobs::new();
    let mut dependabot = Jobs::pull_request();
    dependabot.branch = "dependabot/npm/x".to_owned();
    assert_eq!(jobs.event(1, "opened", &dependabot)["action"], "ignored");
    assert_eq!(jobs.comments().len(), 0);
    assert!(jobs.summary().contains("by the rule `ignore_branches`"));

    jobs.set("limit           = 200", "limit           = 1");
    let first = PullRequest::new(SERVICE, 9, &"a".repeat(40), "x");
    jobs.event(2, "opened", &first);
    let pull_request = Jobs::pull_request();
    jobs.event(3, "reopened", &pull_request);
    let told = jobs.told();
    assert!(
        told.contains("**Ignored** by the rule `limit`: `the limit is reached"),
        "{told}"
    );
    let edits = jobs.calls("PATCH");
    jobs.event(4, "synchronize", &pull_request);
    assert_eq!(jobs.calls("PATCH"), edits, "the text is equal");
    jobs.event(5, "closed", &first);
    jobs.event(6, "synchronize", &pull_request);
    assert!(jobs.told().contains("**Written**"), "{}", jobs.told());

    // Who was told of an environment hears of its end and of why none comes back.
    let labeled = PullRequest {
        labels: vec!["no-preview".to_owned()],
        ..pull_request
    };
    jobs.event(7, "synchronize", &labeled);
    assert!(
        jobs.told()
            .contains("**Removed**: ``it has the label `no-preview`"),
        "{}",
        jobs.told()
    );
    jobs.event(8, "closed", &labeled);
    assert!(jobs.told().contains("**None stands**"), "{}", jobs.told());
}

#[test]
fn proposal_is_told_as_one() {
    let jobs = Jobs::new();
    let send = |payload: &Value| {
        let mut words = jobs.words("event", payload);
        words.push("--propose".to_owned());
        let mut variables = jobs.variables();
        variables.push(("DAYFLY_TOKEN", TOKEN.to_owned()));
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let world = &jobs.scene.scene.world;
        world.dayfly_with(&variables, &words).succeeded().json()
    };
    let pull_request = Jobs::pull_request();
    let outcome = send(&pull_request.payload("opened", 1));
    let url = outcome["proposal"]["url"].as_str().unwrap();
    let told = jobs.told();
    assert!(
        told.contains("**Proposed** for commit [`aaaaaaaa`]"),
        "{told}"
    );
    assert!(told.contains(&format!("- proposal: <{url}>")), "{told}");
    jobs.scene.github.merge(MANAGER, 1, Merge::Commit);
    send(&pull_request.payload("closed", 2));
    let told = jobs.told();
    assert!(
        told.contains("**Removal proposed**: `the pull request was closed`"),
        "{told}"
    );
    assert!(
        told.starts_with("### Preview environment `ca6d5eab`"),
        "{told}"
    );

    let other = Jobs::pull_request().at(&"c".repeat(40));
    let other = PullRequest {
        number: 11,
        ..other
    };
    send(&other.payload("opened", 3));
    send(&other.payload("closed", 4));
    let comments = jobs.scene.github.comments(SERVICE, 11);
    assert_eq!(comments.len(), 1);
    let (_, told) = &comments[0];
    assert!(
        told.contains("**Removed**: `the pull request was closed; it was only proposed`"),
        "{told}"
    );
}

#[test]
fn hostile_words_stay_words() {
    let jobs = Jobs::new();
    jobs.set("# branches      = []", "branches = [\"feature*\"]");
    jobs.event(1, "opened", &Jobs::pull_request());
    let mut hostile = Jobs::pull_request();
    hostile.branch = "x`@acme/team`-closes-#1<!--dayfly-->](www.evil.example)|&lt;`".to_owned();
    let mut payload = hostile.payload("synchronize", 2);
    payload["pull_request"]["title"] = json!("@acme <!-- dayfly:comment x --> closes #1");
    payload["sender"] = json!({ "login": "@acme<!-- -->" });
    jobs.send(&payload).succeeded();
    let told = jobs.told();
    insta::assert_snapshot!("hostile", steady(&jobs, &told));
    let (_, body) = jobs.comments().pop().unwrap();
    assert!(body.starts_with("<!-- dayfly:comment "));
    assert!(!told.contains("dayfly:comment"), "{told}");
}

#[test]
fn comment_is_turned_off_or_has_no_token() {
    let jobs = Jobs::new();
    let pull_request = Jobs::pull_request();
    let words = jobs.words("event", &pull_request.payload("opened", 1));
    let without: Vec<_> = jobs.variables();
    let without: Vec<(&str, &str)> = without
        .iter()
        .filter(|(name, _)| *name != "GITHUB_TOKEN")
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let said = jobs
        .scene
        .scene
        .world
        .dayfly_with(&without, &words)
        .succeeded();
    assert_eq!(said.stderr, "");
    assert!(jobs.summary().contains("**Written**"));
    jobs.set("# comment = false", "comment = false");
    jobs.event(2, "synchronize", &pull_request.at(&"b".repeat(40)));
    assert_eq!(jobs.comments().len(), 0);
    assert_eq!(jobs.calls("GET"), 0);

    let nowhere = [("GITHUB_STEP_SUMMARY", "/no/such/directory/summary")];
    let words = jobs.words("event", &pull_request.payload("synchronize", 3));
    let said = jobs
        .scene
        .scene
        .world
        .dayfly_with(&nowhere, &words)
        .succeeded();
    assert!(
        said.stderr.contains("cannot write the summary"),
        "{}",
        said.stderr
    );
}

#[test]
fn fork_hears_of_its_approval() {
    let jobs = Jobs::new();
    jobs.set("forks           = \"deny\"", "forks           = \"label\"");
    let fork = PullRequest {
        is_fork: true,
        ..Jobs::pull_request()
    };
    let labeled = PullRequest {
        labels: vec!["preview".to_owned()],
        ..fork.clone()
    };
    jobs.event(1, "opened", &fork);
    let told = jobs.told();
    assert!(
        told.contains("the label `preview` approves its commit"),
        "{told}"
    );
    let mut approval = labeled.payload("labeled", 2);
    approval["label"] = json!({ "id": 9, "name": "preview" });
    jobs.send(&approval).succeeded();
    assert!(jobs.told().contains("**Written** for commit [`aaaaaaaa`]"));
    let newer = labeled.at(&"b".repeat(40));
    jobs.event(3, "synchronize", &newer);
    let told = jobs.told();
    assert!(
        told.contains(&format!("commit {} of a fork is not approved", newer.sha)),
        "{told}"
    );
    assert!(told.contains("The environment stays as it was."), "{told}");
    assert!(
        told.contains(&format!("`code_version`: `{}`", fork.sha)),
        "{told}"
    );
    assert!(told.contains(SERVICE_10), "{told}");
    // At its approved commit nothing is news.
    let before = jobs.calls("PATCH");
    jobs.event(4, "reopened", &labeled);
    assert_eq!(jobs.calls("PATCH"), before);
}
