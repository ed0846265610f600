//! Inputs of each type: one with every field of the contract filled, one with everything null that may
//! be, and one of another day.

use dayfly::policy::PolicyType;
use dayfly::policy::input::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::parts::State::{self, Full, Null, Other};
use super::parts::{commit, history, run, stack, texts};

pub(crate) fn inputs(kind: PolicyType) -> Vec<(&'static str, Value)> {
    match kind {
        PolicyType::Trigger => all([trigger(Full), trigger(Null), trigger(Other)]),
        PolicyType::GitPush => all([push(Full), push(Null), push(Other)]),
        PolicyType::Plan => all([plan(Full), plan(Null), plan(Other)]),
        PolicyType::Approval => all([approval(Full), approval(Null), approval(Other)]),
        PolicyType::Notification => all([notified(Full), notified(Null), notified(Other)]),
    }
}

fn all<T: Serialize>(inputs: [T; 3]) -> Vec<(&'static str, Value)> {
    let names = ["full", "null", "other"];
    let values = inputs.map(|input| serde_json::to_value(input).unwrap());
    names.into_iter().zip(values).collect()
}

fn finished(state: State) -> FinishedRun {
    FinishedRun {
        run: run(state),
        states_history: history(state),
    }
}

fn trigger(state: State) -> TriggerInput {
    let ids = [
        "hello-service-common",
        "hello-1",
        "hello-2",
        "hello-3",
        "app-staging",
    ];
    let queueing = |(number, id): (u64, &&str)| QueueingStack {
        stack: stack(if number % 2 == 0 { state } else { Other }, id),
        queued_runs: number % 2,
    };
    TriggerInput {
        run: finished(state),
        stack: stack(state, "hello-service-common"),
        stacks: (0..).zip(&ids).map(queueing).collect(),
        workflow: if state == Null {
            Vec::new()
        } else {
            vec![WorkflowRun {
                id: "w1".to_owned(),
                stack_id: "hello-2".to_owned(),
                state: "PLANNING".to_owned(),
                kind: "TRACKED".to_owned(),
            }]
        },
    }
}

fn push(state: State) -> PushInput {
    let pushed = |state, files: &[&str]| PushedCommit {
        affected_files: texts(files),
        commit: commit(state),
    };
    let in_progress = |id: &str, kind: &str, state: &str, branch: &str| RunInProgress {
        id: id.to_owned(),
        kind: kind.to_owned(),
        state: state.to_owned(),
        branch: branch.to_owned(),
        commit: commit(Null),
        ..RunInProgress::default()
    };
    let pull_request = |state| PullRequest {
        action: if state == Other {
            "commented"
        } else {
            "opened"
        }
        .to_owned(),
        action_initiator: Some(String::new()),
        approved: true,
        author: "ann".to_owned(),
        base: pushed(Null, &[]),
        comment: (state == Other).then(|| " /spacelift deploy now ".to_owned()),
        diff: texts(&["infra/app/main.tf", "README.md"]),
        head: pushed(state, &["README.md"]),
        head_owner: if state == Other { "friend" } else { "acme" }.to_owned(),
        id: 10,
        labels: texts(&["deploy", "safe-to-run"]),
        mergeable: true,
        title: "größer \"schneller\"".to_owned(),
        undiverged: state == Full,
        ..PullRequest::default()
    };
    PushInput {
        in_progress: if state == Null {
            Vec::new()
        } else {
            vec![
                in_progress("r1", "PROPOSED", "QUEUED", "main"),
                in_progress("r2", "TRACKED", "UNCONFIRMED", "feature/x"),
                in_progress("r3", "TRACKED", "APPLYING", "main"),
            ]
        },
        pull_request: (state != Null).then(|| pull_request(state)),
        push: match state {
            Full => pushed(
                state,
                &[
                    "infra/app/main.tf",
                    "modules/x/main.tf",
                    "README.md",
                    "ä.yaml",
                ],
            ),
            Null => pushed(state, &["/infra/app/main.tf", "a.tfvars"]),
            Other => pushed(state, &["README.md"]),
        },
        stack: stack(state, "hello-1"),
        vcs_integration: (state == Full).then(|| VcsIntegration {
            id: "github".to_owned(),
            labels: texts(&["vcs"]),
            provider: "GITHUB".to_owned(),
            ..VcsIntegration::default()
        }),
        ..PushInput::default()
    }
}

fn plan(state: State) -> PlanInput {
    let resource = |kind: &str, name: &str, actions: &[&str], before: Value, after: Value| {
        json!({
            "address": format!("{kind}.{name}"), "type": kind, "name": name,
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {"actions": actions, "before": before, "after": after},
        })
    };
    let in_module = |mut resource: Value, module: &str| {
        resource["module_address"] = json!(module);
        resource
    };
    let bucket = json!({"tags": null, "name": "data-prod", "versioning": [{"enabled": true}]});
    let changes = match state {
        Null => json!([]),
        Full => json!([
            resource(
                "aws_instance",
                "web",
                &["create"],
                json!(null),
                json!({
                "instance_type": "t3.huge", "tags": {"Name": "web", "env": "a&b <x>"}, "count": 1.5,
                "cidr_blocks": ["10.20.1.0/24", "0.0.0.0/0", "192.168.0.0/16"], "length": "12"})
            ),
            in_module(
                resource(
                    "aws_s3_bucket",
                    "data",
                    &["delete"],
                    bucket.clone(),
                    json!(null)
                ),
                "module.a.module.b"
            ),
            in_module(
                resource(
                    "aws_db_instance",
                    "db",
                    &["update"],
                    json!({"size": 10, "x": "y"}),
                    json!({"size": 20, "x": "y", "password": "hunter2", "tags": {}, "length": 20})
                ),
                "module.a"
            ),
            resource(
                "aws_iam_role",
                "r",
                &["delete", "create"],
                json!({"name": "r"}),
                json!({"name": "é"})
            ),
            resource("terraform_data", "same", &["no-op"], bucket.clone(), bucket),
        ]),
        Other => json!([
            resource(
                "aws_db_instance",
                "db",
                &["create", "delete"],
                json!({}),
                json!({"length": "x"})
            ),
            resource(
                "aws_instance",
                "web",
                &["update"],
                json!({"a": 1}),
                json!({"a": 2, "tags": {"Name": "n", "env": "e", "owner": "o"}, "api_token": "short",
                       "cidr_blocks": ["::/0", "2001:db8::/32"]})
            ),
        ]),
    };
    let shown = json!({
        "terraform_version": match state { Other => "1.4.6", _ => "1.11.4" },
        "resource_changes": changes,
    });
    let custom = match state {
        Full => json!({
            "scan": {"results": [{"severity": "HIGH"}, {"severity": "LOW"}, {"severity": "LOW"}]},
            "infracost": {"total": "300.125", "shares": ["0.1", "0.2", "0.3"]},
        }),
        Null => json!({}),
        Other => json!({"scan": {"results": []}, "infracost": {"total": "99"}}),
    };
    PlanInput {
        spacelift: PlanContext {
            commit: commit(state),
            previous_run: (state == Other).then(|| run(Other)),
            run: run(state),
            stack: stack(state, "hello-1"),
            ..PlanContext::default()
        },
        terraform: TerraformPlan::from_show(&shown, Sanitization::Off),
        third_party_metadata: ThirdPartyMetadata {
            custom: custom.as_object().unwrap().clone(),
        },
    }
}

fn approval(state: State) -> ApprovalInput {
    let review = |author: &str, role: &str, team: &str, state: &str| Review {
        author: author.to_owned(),
        author_roles: vec![AuthorRole {
            slug: role.to_owned(),
            ..AuthorRole::default()
        }],
        session: ReviewSession {
            login: author.to_owned(),
            teams: texts(&[team]),
            ..ReviewSession::default()
        },
        state: state.to_owned(),
        ..Review::default()
    };
    let mut reviewed = run(state);
    reviewed.state = if state == Null {
        "QUEUED"
    } else {
        "UNCONFIRMED"
    }
    .to_owned();
    if state == Other {
        reviewed.kind = "TASK".to_owned();
        reviewed.command = Some("rm -rf /".to_owned());
    }
    ApprovalInput {
        reviews: match state {
            Full => Reviews {
                current: Verdicts {
                    approvals: vec![
                        review("ann", "devops", "infra", "UNCONFIRMED"),
                        review("bob", "director", "security", "UNCONFIRMED"),
                    ],
                    rejections: Vec::new(),
                },
                older: Verdicts::default(),
            },
            Null => Reviews::default(),
            Other => Reviews {
                current: Verdicts {
                    approvals: vec![review("ann", "devops", "infra", "UNCONFIRMED")],
                    rejections: vec![
                        review("cyd", "director", "security", "UNCONFIRMED"),
                        review("dan", "devops", "infra", "UNCONFIRMED"),
                    ],
                },
                older: Verdicts::default(),
            },
        },
        run: ApprovalRun {
            run: reviewed,
            repository_runtime_config_changed: state == Other,
        },
        stack: stack(state, "hello-1"),
    }
}

fn notified(state: State) -> NotificationInput {
    let timing = |state: &str, duration| Timing {
        duration,
        state: state.to_owned(),
    };
    NotificationInput {
        account: Account {
            name: "acme".to_owned(),
        },
        internal_error: (state == Null).then(|| InternalError {
            error: "policy failed".to_owned(),
            message: "line 3".to_owned(),
            severity: Severity::Error,
        }),
        run_updated: (state != Null).then(|| RunUpdated {
            note: "a note".to_owned(),
            plan_policy_decision: PlanPolicyDecision {
                deny: if state == Other {
                    texts(&["no", "never"])
                } else {
                    vec![]
                },
                warn: vec![],
            },
            policy_receipts: vec![PolicyReceipt {
                name: "p".to_owned(),
                outcome: "deny".to_owned(),
                kind: "PLAN".to_owned(),
                ..PolicyReceipt::default()
            }],
            run: finished(state),
            stack: stack(state, "hello-1"),
            state: run(state).state,
            timing: vec![
                timing("PLANNING", 1_500_000_000),
                timing("APPLYING", 20_100_000_000),
            ],
            urls: Urls {
                run: "https://example.com/run".to_owned(),
            },
            username: if state == Full { "ann" } else { "" }.to_owned(),
        }),
        webhook_endpoints: vec![
            WebhookEndpoint {
                id: "e1".to_owned(),
                labels: texts(&["runs"]),
            },
            WebhookEndpoint {
                id: "e2".to_owned(),
                labels: vec![],
            },
        ],
        ..NotificationInput::default()
    }
}
