//! What happens to the pull requests of a stack's repository, as GIT_PUSH policies are asked about it.

use std::fs;

use serde_json::Value;

use crate::support::sweep_scene::{SWEEPER, SweepScene};
use crate::support::world::Output;
use crate::support::{Grant, INFRA, PullRequest, SERVICE, Trouble};

const STACK: &str = "hello-service-ca6d5eab";
const TEMPLATE: &str = "hello-service/template/main.tf";
const POLICY: &str = "hello-service/policies/push.rego";

/// A preview that stands, judged by these rules, on a GitHub that is asked about pull requests.
struct Watched {
    scene: SweepScene,
}

impl Watched {
    fn new(rules: &str) -> Self {
        Self::prepared(rules, |_| {})
    }

    fn prepared(rules: &str, prepare: impl FnOnce(&SweepScene)) -> Self {
        let scene = SweepScene::new();
        let text = format!("package spacelift\n\nimport rego.v1\n\n{rules}\n");
        scene.scene().manager.commit("main", &[(POLICY, &text)]);
        prepare(&scene);
        scene.event("opened", &PullRequest::service());
        let watched = Self { scene };
        watched.apply().succeeded();
        watched
    }

    fn apply(&self) -> Output {
        let data = self.scene.scene().world.path("data");
        let words = ["apply", "--data-dir", data.to_str().unwrap()];
        let variables = [("DAYFLY_TOKEN", SWEEPER), ("AWS_PROFILE", "s3cret")];
        self.scene.github.dayfly(&variables, &words)
    }

    /// A commit of another layout, and the pull request that brings it.
    fn open(&self, number: u64, branch: &str, layout: &str) -> String {
        let sha = self.commit(number, layout);
        let pull_request = PullRequest::new(INFRA, number, &sha, branch);
        let mut payload = pull_request.payload("opened", 5);
        payload["pull_request"]["base"]["sha"] =
            self.scene.scene().infra.tip("main").unwrap().into();
        self.scene.fake().put_pull(INFRA, &payload);
        sha
    }

    /// A commit that only the reference of the pull request leads to, as with one of a fork.
    fn commit(&self, number: u64, layout: &str) -> String {
        let infra = &self.scene.scene().infra;
        infra.branch("temporary", "main");
        let text = infra.read("main", "main.tf").unwrap();
        let text = text.replace("\"plain\"", &format!("{layout:?}"));
        let sha = infra.commit("temporary", &[("main.tf", &text)]);
        infra.git(&["update-ref", &format!("refs/pull/{number}/head"), &sha]);
        infra.delete_branch("temporary");
        sha
    }

    /// The runs of the preview's stack that were proposed, newest first.
    fn proposed(&self) -> Vec<Value> {
        let words = ["runs", "--output", "json", "--stack", STACK];
        let runs = self.scene.scene().data(&words).json();
        let runs = runs.as_array().unwrap().iter();
        let proposed = runs.filter(|run| run["type"] == "PROPOSED");
        proposed.cloned().collect()
    }

    /// What the policies were asked that a run came of.
    fn asked(&self, run: &Value) -> Value {
        let id = run["id"].as_str().unwrap();
        let words = ["policy", "input", id, "--type", "git_push"];
        self.scene.scene().data(&words).json()
    }

    /// What GitHub was asked since, without what the repositories' own pages are called.
    fn requests(&self, from: usize) -> Vec<String> {
        let all = self.scene.fake().requests();
        let asked = all[from..].iter();
        asked
            .map(|request| request.replace("/repos/acme/hello-infra/", ""))
            .collect()
    }
}

#[test]
fn each_event_is_judged_once() {
    let watched = Watched::new(
        "propose if \"plan\" in input.pull_request.labels\n\n\
         propose if startswith(input.pull_request.comment, \"/spacelift plan\")\n\n\
         ignore if is_null(input.pull_request)",
    );
    let fake = watched.scene.fake();
    let commit = watched.open(7, "feature", "wide");
    watched.apply().succeeded();
    assert_eq!(watched.proposed().len(), 0, "it has no label");

    fake.label(INFRA, 7, "plan");
    fake.review(INFRA, 7, "rita", "APPROVED");
    watched.apply().succeeded();
    let run = watched.proposed()[0].clone();
    assert_eq!(run["state"], "FINISHED", "{run}");
    assert_eq!(run["commit"], commit.as_str());
    assert_eq!(run["pull_request"], 7);
    assert_eq!(run["cause"], "pull request #7, labeled");
    let asked = watched.asked(&run);
    let pull_request = &asked["pull_request"];
    assert_eq!(pull_request["action"], "labeled");
    assert_eq!(pull_request["action_initiator"], Value::Null);
    assert_eq!(pull_request["approved"], true);
    assert_eq!(pull_request["mergeable"], true);
    assert_eq!(pull_request["undiverged"], true);
    assert_eq!(pull_request["head_owner"], "acme");
    assert_eq!(pull_request["diff"][0], "main.tf");
    assert_eq!(asked["push"]["affected_files"][0], "main.tf");
    assert_eq!(asked["push"]["pull_request_id"], 7);

    // A look at what has not changed costs one question, and no answer.
    let before = fake.requests().len();
    watched.apply().succeeded();
    assert_eq!(watched.requests(before), ["GET pulls"]);
    // The same commit is proposed once, unless somebody asks for it.
    fake.label(INFRA, 7, "other");
    fake.comment(INFRA, 7, "bob", "what would /spacelift plan do?");
    watched.apply().succeeded();
    assert_eq!(watched.proposed().len(), 1);
    fake.comment(INFRA, 7, "bob", "/spacelift plan");
    watched.apply().succeeded();
    watched.apply().succeeded();
    let runs = watched.proposed();
    assert_eq!(runs.len(), 2, "{runs:?}");
    let asked = watched.asked(&runs[0]);
    assert_eq!(asked["pull_request"]["action"], "commented");
    assert_eq!(asked["pull_request"]["action_initiator"], "bob");
    assert_eq!(asked["pull_request"]["comment"], "/spacelift plan");
}

#[test]
fn ends_of_pull_requests_are_judged_and_silence_loses_nothing() {
    let watched = Watched::new(
        "propose if input.pull_request.action in {\"closed\", \"reopened\", \"synchronize\"}\n\n\
         ignore if is_null(input.pull_request)",
    );
    let fake = watched.scene.fake();
    watched.open(7, "feature", "wide");
    watched.apply().succeeded();
    let commit = watched.commit(7, "tall");
    fake.push(INFRA, 7, &commit);
    fake.trouble(Some(Trouble::Down));
    let told = watched.apply().succeeded().stdout;
    assert_eq!(told.matches("pull requests are not judged").count(), 1);
    fake.trouble(None);
    watched.apply().succeeded();
    assert_eq!(watched.proposed()[0]["commit"], commit.as_str());
    assert_eq!(
        watched.asked(&watched.proposed()[0])["pull_request"]["action"],
        "synchronize"
    );

    let commit = watched.commit(7, "deep");
    fake.push(INFRA, 7, &commit);
    fake.close(INFRA, 7);
    watched.apply().succeeded();
    let run = watched.proposed()[0].clone();
    assert_eq!(run["cause"], "pull request #7, closed");
    assert_eq!(watched.asked(&run)["pull_request"]["closed"], true);
    let commit = watched.commit(7, "flat");
    fake.push(INFRA, 7, &commit);
    fake.reopen(INFRA, 7);
    watched.apply().succeeded();
    assert_eq!(watched.proposed()[0]["cause"], "pull request #7, reopened");
    assert_eq!(watched.proposed().len(), 3);
}

#[test]
fn forks_run_where_a_policy_allows_it_and_are_given_nothing() {
    let rules = "propose if input.pull_request.id\n\n\
        allow_fork if \"trusted\" in input.pull_request.labels\n\n\
        track if input.push.branch == input.stack.branch\n\n\
        ignore_track if {\n\t\"trusted\" in input.pull_request.labels\n\t\
        not \"apply\" in input.pull_request.labels\n}\n\n\
        flag contains \"fork\" if input.pull_request.head_owner != input.stack.namespace";
    let watched = Watched::prepared(rules, |scene| {
        let scene = scene.scene();
        let pages = scene.world.path("pages").display().to_string();
        let hook = format!(
            "autodeploy = true\n  before_plan = [\"env > {pages}/$TF_VAR_spacelift_run_type\"]"
        );
        scene.edit(TEMPLATE, "autodeploy = true", &hook);
        let passes = "runner {\n  service \"hello-service\" { pass_environment = [\"AWS_*\"] }\n";
        scene.edit("dayfly.hcl", "runner {\n", passes);
        let approval = "package spacelift\n\nimport rego.v1\n\napprove if not \"fork\" in input.run.flags\n\n\
            approve if count(input.reviews.current.approvals) > 0\n";
        scene.manager.commit(
            "main",
            &[("hello-service/policies/approval.rego", approval)],
        );
    });
    let (fake, scene) = (watched.scene.fake(), watched.scene.scene());
    let seen = |kind: &str| fs::read_to_string(scene.world.path("pages").join(kind));
    assert!(seen("TRACKED").unwrap().contains("AWS_PROFILE=s3cret"));
    let page = scene.page(crate::support::SERVICE_10);

    // Its branch is called as the stack's is.
    let commit = watched.open(8, "main", "wide");
    fake.make_fork(INFRA, 8);
    watched.apply().succeeded();
    assert_eq!(watched.proposed().len(), 0, "nobody has allowed it");
    fake.label(INFRA, 8, "trusted");
    watched.apply().succeeded();
    let run = watched.proposed()[0].clone();
    assert_eq!(run["state"], "QUEUED", "{run}");
    assert!(
        run["note"].as_str().unwrap().contains("waits for approval"),
        "{run}"
    );
    let id = run["id"].as_str().unwrap();
    scene.data(&["runs", "approve", id]).succeeded();
    watched.apply().succeeded();
    let run = watched.proposed()[0].clone();
    assert_eq!(run["state"], "FINISHED", "{run}");
    assert_eq!(run["commit"], commit.as_str());
    assert_eq!(run["branch"], "eve:main");
    assert_eq!(run["is_fork"], true);
    let seen = seen("PROPOSED").unwrap();
    assert!(!seen.contains("s3cret"), "{seen}");
    let asked = watched.asked(&run);
    assert_eq!(asked["pull_request"]["head_owner"], "eve");
    assert_eq!(asked["push"]["exist_on_tracked_branch"], false);

    // Another run of it is a fork's as well, and none is ever applied.
    scene.data(&["runs", "retry", id]).succeeded();
    assert_eq!(watched.proposed()[0]["is_fork"], true);
    fake.label(INFRA, 8, "apply");
    let told = watched.apply().succeeded().stdout;
    assert!(told.contains("tracks a commit of a fork"), "{told}");
    assert_eq!(scene.page(crate::support::SERVICE_10), page);
}

#[test]
fn commits_that_are_ignored_are_told_so_where_policies_want_it() {
    let watched = Watched::new(
        "ignore if input.pull_request.id\n\n\
         ignore if input.push.branch != input.stack.branch\n\n\
         notify if input.push.branch == \"noted\"\n\n\
         fail if input.pull_request.id\n\n\
         message contains sprintf(\"%s is too big\", [input.pull_request.title])\n\n\
         track if input.push.branch == input.stack.branch",
    );
    let (fake, infra) = (watched.scene.fake(), &watched.scene.scene().infra);
    infra.branch("noted", "main");
    infra.branch("other", "main");
    let noted = infra.tip("noted").unwrap();
    let opened = watched.open(7, "feature", "wide");
    // The token may not say anything yet.
    let told = watched.apply().succeeded().stdout;
    assert!(told.contains("a commit is not told its status"), "{told}");
    assert!(
        told.contains("a push policy fails the pull request #7, opened"),
        "{told}"
    );
    assert_eq!(fake.statuses(INFRA), [""; 0]);
    let permissions = [
        ("contents", "write"),
        ("pull_requests", "read"),
        ("statuses", "write"),
    ];
    let repositories = [crate::support::MANAGER, crate::support::SERVICE, INFRA];
    fake.token(SWEEPER, Grant::new(&repositories, &permissions));
    watched.apply().succeeded();
    let told = fake.statuses(INFRA);
    assert_eq!(told.len(), 2 * 2, "once, for each of two stacks: {told:?}");
    let noted = format!("{noted} success dayfly/{STACK}: ignored by a push policy");
    assert!(told.contains(&noted), "{told:?}");
    let failed = format!("{opened} failure dayfly/{STACK}: A title with ");
    assert!(
        told.iter().any(|told| told.starts_with(&failed)),
        "{told:?}"
    );
    watched.apply().succeeded();
    assert_eq!(fake.statuses(INFRA).len(), 4);
}

#[test]
fn runs_that_policies_prioritize_go_first() {
    let tracks = "track if input.push.branch == input.stack.branch";
    let watched = Watched::prepared(tracks, |scene| {
        let scene = scene.scene();
        let pages = scene.world.path("pages").display().to_string();
        let hook = format!(
            "autodeploy = true\n  before_plan = [\"echo $TF_VAR_spacelift_stack_id >> {pages}/order\"]"
        );
        scene.edit(TEMPLATE, "autodeploy = true", &hook);
    });
    let scene = watched.scene.scene();
    let another = PullRequest::new(SERVICE, 11, &"b".repeat(40), "another");
    watched.scene.event("opened", &another);
    watched.apply().succeeded();
    let mut stacks = scene.stacks();
    stacks.retain(|stack| stack.starts_with("hello-service-") && !stack.ends_with("common"));
    assert_eq!(stacks.len(), 2, "{stacks:?}");
    for first in [0, 1] {
        let wanted = &stacks[first];
        let rules = format!(
            "package spacelift\n\nimport rego.v1\n\n{tracks}\n\nprioritize if input.stack.id == \"{wanted}\"\n"
        );
        scene.manager.commit("main", &[(POLICY, &rules)]);
        scene.infra.commit("main", &[("README.md", wanted)]);
        fs::remove_file(scene.world.path("pages").join("order")).unwrap();
        scene.apply_with(&["--parallelism", "1"]).succeeded();
        let order = fs::read_to_string(scene.world.path("pages").join("order")).unwrap();
        let order: Vec<&str> = order.lines().collect();
        assert_eq!(order, [wanted, &stacks[1 - first]]);
    }
}
