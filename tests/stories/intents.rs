//! Writers that lose a race help each other: nothing is lost, done twice or left behind, whoever
//! dies on the way.

use std::process::{Child, Output as Ended, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Hold, PullRequest, SERVICE, Scene};

const DAYFLY: &str = env!("CARGO_BIN_EXE_dayfly");

/// Another writer is faster than the next push of the branch.
fn spoil_next_push(scene: &Scene) {
    std::fs::write(scene.manager.path.join("spoil"), "once").unwrap();
}

/// Another writer is faster than any push of the branch.
fn spoil_pushes(scene: &Scene) {
    std::fs::write(scene.manager.path.join("spoil"), "always").unwrap();
}

fn spoil_no_push(scene: &Scene) {
    let _ = std::fs::remove_file(scene.manager.path.join("spoil"));
}

/// A scene whose server can make any push of the branch lose its race: the branch moves while the
/// push is looked at.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.manager.hook(
        "update",
        r#"case "$3" in *[!0]*) ;; *) if [ -f keep ]; then echo nothing goes; exit 1; fi ;; esac
[ "$1" = refs/heads/main ] || exit 0
[ -f spoil ] || exit 0
grep -q always spoil || rm spoil
other=$(GIT_COMMITTER_NAME=o GIT_COMMITTER_EMAIL=o@o GIT_AUTHOR_NAME=o GIT_AUTHOR_EMAIL=o@o git commit-tree -p "$2" -m faster "$2^{tree}")
git update-ref refs/heads/main "$other" "$2""#,
    );
    scene
}

/// What dayfly keeps beside the branches, but the gate, which stays.
fn references(scene: &Scene) -> Vec<String> {
    let names = scene
        .manager
        .git(&["for-each-ref", "--format=%(refname)", "refs/dayfly"]);
    let names = names.lines().filter(|name| *name != "refs/dayfly/gate");
    names.map(str::to_owned).collect()
}

fn files_of(scene: &Scene, number: u64) -> usize {
    let part = format!("-{number}-");
    let files = scene.manager.files("main");
    files.iter().filter(|file| file.contains(&part)).count()
}

/// How many commits opened the pull request's environment.
fn openings(scene: &Scene, number: u64) -> usize {
    let words = format!(": open {SERVICE}#{number}");
    let subjects = scene.manager.subjects("main");
    subjects
        .iter()
        .filter(|said| said.ends_with(&words))
        .count()
}

fn opened(number: u64) -> PullRequest {
    PullRequest::new(SERVICE, number, "abcdef12", "feature")
}

/// A job of its own that upserts an environment.
fn upsert(scene: &Scene, number: u64, arguments: &[&str]) -> Child {
    let mut command = scene.world.command(DAYFLY);
    command
        .args(["env", "upsert", &format!("{SERVICE}#{number}")])
        .args(["--manager", &scene.manager.url, "--head-branch", "feature"])
        .args(["--output", "json"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn ended(child: Child) -> (Option<i32>, Value) {
    let Ended { status, stdout, .. } = child.wait_with_output().unwrap();
    let said = serde_json::from_slice(&stdout).unwrap_or(Value::Null);
    (status.code(), said)
}

#[track_caller]
fn assert_whole(scene: &Scene) {
    scene.manager.git(&["fsck", "--no-progress"]);
    let merges = scene.manager.git(&["rev-list", "--merges", "main"]);
    assert_eq!(merges, "", "the history is linear");
    assert_eq!(scene.manager.branches(), ["main"]);
}

#[test]
fn loser_asks_for_help_and_leaves_nothing() {
    let scene = scene();
    spoil_next_push(&scene);
    let outcome = scene.event("opened", &opened(10));
    assert_eq!(outcome["action"], "created", "{outcome}");
    let tip = scene.manager.tip("main").unwrap();
    assert_eq!(outcome["commit"], json!(tip));
    let message = scene.manager.git(&["log", "-1", "--format=%B", "main"]);
    assert!(message.contains("\nDayfly-Intent: "), "{message}");
    assert_eq!(references(&scene), [""; 0]);
    assert_whole(&scene);
}

/// One dies after it has asked for help.
fn die_asking(scene: &Scene, number: u64, arguments: &[&str]) {
    spoil_pushes(scene);
    let mut child = upsert(scene, number, arguments);
    let began = Instant::now();
    while !references(scene)
        .iter()
        .any(|name| name.contains("/intents/"))
    {
        assert!(began.elapsed() < Duration::from_secs(30), "it never asked");
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    spoil_no_push(scene);
}

#[test]
fn next_writer_finishes_what_a_dead_one_asked_for() {
    let scene = scene();
    let ann = ["--head-sha", "aaaa1111", "--at", "2026-11-21T09:00:00Z"];
    die_asking(&scene, 10, &ann);
    assert_eq!(files_of(&scene, 10), 0);
    let mut other = scene.world.command(DAYFLY);
    other
        .args(["env", "upsert", &format!("{SERVICE}#11")])
        .args(["--manager", &scene.manager.url, "--head-branch", "other"])
        .args(["--head-sha", "bbbb2222"])
        .env("GIT_AUTHOR_NAME", "Bea")
        .env("GIT_AUTHOR_EMAIL", "bea@people.example")
        .env("GIT_COMMITTER_NAME", "Bea")
        .env("GIT_COMMITTER_EMAIL", "bea@people.example");
    assert!(other.output().unwrap().status.success());
    assert_eq!((openings(&scene, 10), openings(&scene, 11)), (1, 1));
    let log = scene
        .manager
        .git(&["log", "-2", "--format=%an, %cn: %s", "main"]);
    let told: Vec<&str> = log.lines().collect();
    assert_eq!(
        told,
        [
            "Ann Author, Bea: hello-service: open acme/hello-service#10",
            "Bea, Bea: hello-service: open acme/hello-service#11",
        ],
        "each commit has its own author"
    );
    assert_eq!(references(&scene), [""; 0]);
    assert_whole(&scene);
}

#[test]
fn dead_ones_wish_is_judged_by_its_own_time() {
    let scene = scene();
    scene.event_at(1, "opened", &opened(10)).succeeded();
    let old = ["--head-sha", "aaaa1111", "--at", "2026-11-21T00:02:00Z"];
    die_asking(&scene, 10, &old);
    // Meanwhile GitHub said more, and it arrives first.
    let closed = scene.event_at(5, "closed", &opened(10)).succeeded().json();
    assert_eq!(closed["action"], "deleted", "{closed}");
    assert_eq!(files_of(&scene, 10), 0);
    let intents = |scene: &Scene| {
        let names = references(scene);
        names
            .iter()
            .filter(|name| name.contains("/intents/"))
            .count()
    };
    assert_eq!(intents(&scene), 0);
    // One that has nothing to write itself still helps.
    die_asking(&scene, 12, &old);
    assert_eq!((intents(&scene), files_of(&scene, 12)), (1, 0));
    let again = scene.event_at(5, "closed", &opened(10)).succeeded().json();
    assert_eq!(again["action"], "absent", "{again}");
    assert_eq!((intents(&scene), files_of(&scene, 12)), (0, 1));
    assert_whole(&scene);
}

#[test]
fn race_lost_for_good_leaves_nothing() {
    let scene = scene();
    spoil_pushes(&scene);
    let output = scene.dayfly(&[
        "env",
        "upsert",
        &format!("{SERVICE}#10"),
        "--head-sha",
        "abcdef12",
        "--head-branch",
        "feature",
        "--timeout",
        "1s",
    ]);
    let output = output.exited(4);
    assert!(output.stderr.contains("lost the race"), "{}", output.stderr);
    assert_eq!(references(&scene), [""; 0]);
    assert_eq!(files_of(&scene, 10), 0);
    assert_whole(&scene);
}

#[test]
fn who_gives_up_while_another_helps_tells_what_was_done() {
    let scene = scene();
    spoil_pushes(&scene);
    // Its last word, the one that takes its wish back, is held on its way.
    let removal = |body: &[u8]| {
        let said = String::from_utf8_lossy(body);
        let is_removal = said.contains(&format!(" {} refs/dayfly/intents/", "0".repeat(40)));
        is_removal && !said.contains("refs/heads/")
    };
    let held = scene
        .world
        .server
        .hold(Hold::Before, move |_, body| removal(body));
    let late = upsert(&scene, 10, &["--head-sha", "abcdef12", "--timeout", "1s"]);
    held.wait();
    spoil_no_push(&scene);
    let other = upsert(&scene, 11, &["--head-sha", "abcdef12"]);
    assert_eq!(ended(other).0, Some(0));
    let landed = openings(&scene, 10);
    held.release();
    let (status, outcome) = ended(late);
    assert_eq!((status, landed), (Some(0), 1), "{outcome}");
    assert_eq!(outcome["action"], "created");
    let commit = outcome["commit"].as_str().unwrap();
    let subject = scene.manager.git(&["log", "-1", "--format=%s", commit]);
    assert_eq!(subject, format!("hello-service: open {SERVICE}#10"));
    assert_eq!(references(&scene), [""; 0]);
}

/// Kills a writer that has lost a race once, at each request of its protocol: before the server
/// sees it, and after the server has done it but before the writer hears of it.
#[test]
fn killed_at_any_step() {
    let scene = scene();
    let mut finished = false;
    let mut number = 100;
    for step in 0..60 {
        finished = true;
        for hold in [Hold::Before, Hold::After] {
            number += 2;
            spoil_next_push(&scene);
            let mut passed = 0;
            let held = scene.world.server.hold(hold, move |_, _| {
                passed += 1;
                passed > step
            });
            let at = ["--head-sha", "aaaa1111", "--at", "2026-11-21T09:00:00Z"];
            let mut child = upsert(&scene, number, &at);
            let is_held = held.wait_or_end(&mut child);
            if is_held {
                finished = false;
                child.kill().unwrap();
            }
            child.wait().unwrap();
            drop(held);
            spoil_no_push(&scene);
            let said = format!("step {step}, {hold:?}");
            let had_asked = references(&scene).len();
            assert!(had_asked <= 1, "{said}: {:?}", references(&scene));
            let stood = files_of(&scene, number);
            let next = upsert(&scene, number + 1, &at);
            assert_eq!(ended(next).0, Some(0), "{said}");
            assert_eq!(references(&scene), [""; 0], "{said}");
            assert_eq!(files_of(&scene, number), stood + had_asked, "{said}");
            let (status, outcome) = ended(upsert(&scene, number, &at));
            let expected = ["created", "unchanged"][stood + had_asked];
            assert_eq!(
                (status, &outcome["action"]),
                (Some(0), &json!(expected)),
                "{said}"
            );
            assert_eq!(
                (files_of(&scene, number), openings(&scene, number)),
                (1, 1),
                "{said}"
            );
        }
        assert_whole(&scene);
        if finished {
            break;
        }
    }
    assert!(finished, "a writer makes fewer requests than that");
}

#[test]
fn newest_commit_wins_in_any_order() {
    let scene = Scene::new();
    let order = [7, 2, 9, 4, 10, 1, 6, 3, 8, 5];
    let writers: Vec<Child> = order
        .iter()
        .map(|minute| {
            let sha = format!("{minute:08x}");
            let at = format!("2026-11-21T09:{minute:02}:00Z");
            upsert(&scene, 10, &["--head-sha", &sha, "--at", &at])
        })
        .collect();
    let outcomes: Vec<Value> = writers
        .into_iter()
        .map(|writer| {
            let (status, outcome) = ended(writer);
            assert_eq!(status, Some(0), "{outcome}");
            outcome
        })
        .collect();
    let file = scene.manager.files("main");
    let path = file.iter().find(|file| file.contains("-10-")).unwrap();
    let text = scene.manager.read("main", path).unwrap();
    assert!(text.contains("\"0000000a\""), "{text}");
    assert_eq!(files_of(&scene, 10), 1);
    for outcome in &outcomes {
        let is_told = match outcome["action"].as_str().unwrap() {
            "created" | "updated" => outcome["commit"].is_string(),
            "ignored" => outcome["reason"].as_str().unwrap().starts_with("stale: "),
            _ => false,
        };
        assert!(is_told, "{outcome}");
    }
    let commits: usize = scene.manager.subjects("main").len();
    let told = outcomes.iter().filter(|o| o["commit"].is_string()).count();
    let own = scene
        .manager
        .subjects("main")
        .iter()
        .filter(|said| said.contains(SERVICE))
        .count();
    assert_eq!(own, told, "of {commits} commits");
    assert_eq!(references(&scene), [""; 0]);
    assert_whole(&scene);
}

#[test]
fn without_a_time_the_last_to_arrive_wins_and_says_so() {
    let scene = scene();
    die_asking(&scene, 10, &["--head-sha", "aaaa1111"]);
    let (status, outcome) = ended(upsert(&scene, 10, &["--head-sha", "bbbb2222"]));
    assert_eq!(status, Some(0), "{outcome}");
    let reason = outcome["reason"].as_str().unwrap();
    assert!(reason.starts_with("unordered"), "{outcome}");
    let files = scene.manager.files("main");
    let path = files.iter().find(|file| file.contains("-10-")).unwrap();
    let text = scene.manager.read("main", path).unwrap();
    assert!(text.contains("bbbb2222"), "{text}");
    assert_eq!(references(&scene), [""; 0]);
}

/// Plants a commit that says this at a reference.
pub(crate) fn plant(scene: &Scene, id: &str, message: &str) {
    let tree = scene
        .manager
        .git(&["hash-object", "-w", "-t", "tree", "/dev/null"]);
    let identity = ["-c", "user.name=Eve", "-c", "user.email=eve@people.example"];
    let mut arguments = identity.to_vec();
    arguments.extend(["commit-tree", &tree, "-m", message]);
    let commit = scene.manager.git(&arguments);
    let name = format!("refs/dayfly/intents/{id}");
    scene.manager.git(&["update-ref", &name, &commit]);
}

#[test]
fn foreign_wish_is_judged_like_ones_own() {
    let scene = scene();
    let wish = |number: u64, branch: &str, change: &dyn Fn(&mut Value)| {
        let mut event = json!({
            "action": "opened",
            "pull_request": {
                "id": format!("{SERVICE}#{number}"), "repository_id": 77, "head_sha": "abcdef12",
                "head_branch": branch, "base_branch": "main", "is_open": true, "is_draft": false,
                "is_fork": false, "asks_for_none": false, "labels": [],
            },
            "at": "2026-11-21T09:00:00Z",
        });
        change(&mut event);
        let wish = json!({ "word": { "event": event }, "service": null });
        format!("dayfly intent 1\n\n{wish}")
    };
    let same = |_: &mut Value| {};
    // What can be read is carried out, or dropped if the rules say so.
    plant(&scene, "00000000000000a0", &wish(20, "feature", &same));
    plant(&scene, "00000000000000a1", &wish(21, "dependabot/x", &same));
    plant(
        &scene,
        "00000000000000a2",
        &wish(22, "feature", &|event| {
            event["pull_request"]["is_fork"] = json!(true)
        }),
    );
    plant(
        &scene,
        "00000000000000a3",
        &wish(23, "feature", &|event| {
            event["pull_request"]["id"] = json!("eve/other#23");
        }),
    );
    // What cannot is left to whoever understands it.
    let unread = [
        ("00000000000000b0", wish(30, "a..b", &same)),
        (
            "00000000000000b1",
            wish(31, "feature", &|event| event["path"] = json!("../x")),
        ),
        ("00000000000000b2", "dayfly intent 2\n\n{}".to_owned()),
        ("00000000000000b3", "hello".to_owned()),
        ("00000000000000b4", wish(34, &"x".repeat(70_000), &same)),
        ("not-an-id", wish(35, "feature", &same)),
    ];
    for (id, message) in &unread {
        plant(&scene, id, message);
    }
    let outcome = scene.event("opened", &opened(10));
    assert_eq!(outcome["action"], "created", "{outcome}");
    assert_eq!((files_of(&scene, 10), files_of(&scene, 20)), (1, 1));
    for number in [21, 22, 23, 30, 31, 34, 35] {
        assert_eq!(files_of(&scene, number), 0, "{number}");
    }
    let left: Vec<String> = references(&scene);
    let names: Vec<String> = unread
        .iter()
        .map(|(id, _)| format!("refs/dayfly/intents/{id}"))
        .collect();
    assert_eq!(left, names);
    assert_whole(&scene);
}

#[test]
fn server_that_takes_no_intents_takes_the_write() {
    let scene = scene();
    scene
        .manager
        .git(&["config", "receive.advertiseAtomic", "false"]);
    spoil_next_push(&scene);
    let outcome = scene.event("opened", &opened(10));
    assert_eq!(outcome["action"], "created", "{outcome}");
    scene
        .manager
        .git(&["config", "--unset", "receive.advertiseAtomic"]);
    // One that lets none be removed: what was asked for stays there, and hinders nobody.
    die_asking(&scene, 11, &["--head-sha", "aaaa1111"]);
    std::fs::write(scene.manager.path.join("keep"), "").unwrap();
    let outcome = scene.event("opened", &opened(12));
    assert_eq!(outcome["action"], "created", "{outcome}");
    assert_eq!((files_of(&scene, 11), files_of(&scene, 12)), (0, 1));
    assert_eq!(openings(&scene, 12), 1);
}

#[test]
fn own_word_comes_after_those_it_helps_with() {
    let scene = scene();
    die_asking(&scene, 10, &["--head-sha", "aaaa1111"]);
    let name = format!("{SERVICE}#10");
    let delete = ["env", "delete", &name, "--output", "json"];
    let outcome = scene.dayfly(&delete).succeeded().json();
    assert_eq!(outcome["action"], "deleted", "{outcome}");
    assert_eq!((openings(&scene, 10), files_of(&scene, 10)), (1, 0));
    assert_eq!(references(&scene), [""; 0]);
}

#[test]
fn many_change_what_stands() {
    let scene = Scene::new();
    let numbers = 1..=12;
    let all = |arguments: &[&str]| {
        let writers: Vec<Child> = numbers
            .clone()
            .map(|number| upsert(&scene, number, arguments))
            .collect();
        for writer in writers {
            let (status, outcome) = ended(writer);
            assert_eq!(status, Some(0), "{outcome}");
        }
    };
    all(&["--head-sha", "aaaa1111"]);
    all(&["--head-sha", "bbbb2222"]);
    let files = scene.manager.files("main");
    let texts = files.iter().filter(|file| file.contains("/acme-"));
    for file in texts {
        let text = scene.manager.read("main", file).unwrap();
        assert!(text.contains("bbbb2222"), "{text}");
    }
    assert_eq!(references(&scene), [""; 0]);
    assert_whole(&scene);
}

/// What a writer leaves out of a fetch is asked for in a way that every server gives.
#[test]
fn servers_give_parts_or_all_or_no_single_objects() {
    let scene = Scene::new();
    let life = |number: u64, manager: &str, variables: &[(&str, &str)]| {
        let name = format!("{SERVICE}#{number}");
        let run = |arguments: &[&str]| {
            let mut all = vec!["env"];
            all.extend(arguments);
            all.extend(["--manager", manager, "--output", "json"]);
            scene.world.dayfly_with(variables, &all).succeeded().json()["action"].clone()
        };
        let upsert = |sha: &str| run(&["upsert", &name, "--head-sha", sha, "--head-branch", "x"]);
        let said = [
            upsert("aaaa1111"),
            upsert("bbbb2222"),
            run(&["delete", &name]),
        ];
        assert_eq!(
            said,
            ["created", "updated", "deleted"],
            "{manager} {variables:?}"
        );
    };
    let url = scene.manager.url.clone();
    let old = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "protocol.version"),
        ("GIT_CONFIG_VALUE_0", "0"),
    ];
    life(1, &url, &[]);
    life(2, &url, &old);
    life(3, scene.manager.path.to_str().unwrap(), &[]);
    let set = |name: &str, value: &str| scene.manager.git(&["config", name, value]);
    set("uploadpackfilter.tree.maxDepth", "0");
    life(4, &url, &[]);
    set("uploadpackfilter.allow", "false");
    life(5, &url, &[]);
    life(6, &url, &old);
    set("uploadpack.allowFilter", "false");
    life(7, &url, &[]);
}
