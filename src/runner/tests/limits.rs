use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Book, Scene, Stops, reason};
use crate::run::{RunEvent, RunState, RunType};

const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until the file has a line, and returns it.
async fn line_of(path: &Path) -> String {
    let started = Instant::now();
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => assert!(
                started.elapsed() < DEADLINE,
                "no line in {}",
                path.display()
            ),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A process that nobody has buried yet is dead, too.
fn is_alive(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

async fn until_dead(process: &str) {
    let started = Instant::now();
    while is_alive(process) {
        assert!(started.elapsed() < DEADLINE, "{process} still lives");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_time_limit_ends_the_run_and_its_children() {
    let mut scene = Scene::page();
    let child = scene.path("child");
    scene.plan.time_limit = Duration::from_secs(3);
    // A shell's background children ignore the interrupt.
    scene.plan.hooks.before_init = vec![format!(
        "sleep 1000 & echo $! > '{}'; wait",
        child.display()
    )];
    scene.plan.hooks.after_run = vec!["echo not after a stop".to_owned()];
    let mut book = Book::default();
    let outcome = scene.run_with(RunType::Tracked, &mut book).await.unwrap();
    assert_eq!(outcome.state, RunState::Failed);
    assert_eq!(reason(&outcome), "time limit of 3 s");
    assert_eq!(book.entered, [RunState::Initializing]);
    assert!(!scene.log().contains("after_run"));
    until_dead(&line_of(&child).await).await;
}

#[tokio::test]
async fn silence_ends_a_run_and_talk_does_not() {
    let mut scene = Scene::page();
    scene.plan.silence_limit = Duration::from_secs(2);
    scene.plan.hooks.before_init =
        vec!["for i in 1 2 3 4 5; do echo $i; sleep 0.7; done".to_owned()];
    let outcome = scene.run(RunType::Tracked).await;
    assert_eq!(outcome.state, RunState::Finished, "{}", reason(&outcome));
    scene.plan.hooks.before_init = vec!["sleep 1000".to_owned()];
    let outcome = scene.run(RunType::Tracked).await;
    assert_eq!(outcome.event, RunEvent::Fail);
    assert_eq!(reason(&outcome), "nothing was heard for 2 s");
}

/// A run whose `phase` hook waits for a person to stop it; gives how it ended.
async fn stopped_in(phase: &str) -> (Scene, super::Outcome) {
    let mut scene = Scene::page();
    let started = scene.path("started");
    let hook = vec![format!("echo 1 > '{}'; sleep 1", started.display())];
    match phase {
        "before_plan" => scene.plan.hooks.before_plan = hook,
        _ => scene.plan.hooks.before_apply = hook,
    }
    let (_never, all) = watch::channel(false);
    let (tell, this) = watch::channel(false);
    let mut book = Book::default();
    let (outcome, ()) = tokio::join!(
        scene.run_with_stops(RunType::Tracked, &mut book, Stops { all, this }),
        async {
            line_of(&started).await;
            tell.send(true).unwrap();
        }
    );
    (scene, outcome.unwrap())
}

#[tokio::test]
async fn a_person_stops_a_plan_but_no_apply() {
    let (scene, outcome) = stopped_in("before_plan").await;
    assert_eq!(outcome.state, RunState::Stopped, "{}", scene.log());
    assert_eq!(outcome.event, RunEvent::Stop);
    assert!(!scene.path("page").exists());
    let (scene, outcome) = stopped_in("before_apply").await;
    assert_eq!(outcome.state, RunState::Finished, "{}", scene.log());
    assert!(scene.path("page").exists());
}

#[tokio::test]
async fn a_stop_interrupts_an_apply_and_kills_what_does_not_listen() {
    let mut scene = Scene::new(
        r#"
variable "child" {}
resource "terraform_data" "done" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.done]
  provisioner "local-exec" {
    command = "trap '' INT; echo $$ > '${var.child}'; while :; do sleep 1; done"
  }
}
"#,
    );
    let child = scene.path("child");
    scene.set("TF_VAR_child", &child.display().to_string());
    scene.plan.grace = Duration::from_secs(1);
    let (tell, stop) = watch::channel(false);
    let mut book = Book::default();
    let (outcome, process) =
        tokio::join!(scene.run_until(RunType::Tracked, &mut book, stop), async {
            let process = line_of(&child).await;
            tell.send(true).unwrap();
            process
        });
    let outcome = outcome.unwrap();
    assert_eq!(outcome.state, RunState::Failed);
    assert_eq!(reason(&outcome), "interrupted");
    until_dead(&process).await;
    assert!(scene.read("states/hello.tfstate").contains("\"done\""));
    assert!(scene.log().contains("== apply"), "{}", scene.log());
}

#[tokio::test]
async fn a_run_that_is_let_go_does_not_leave_its_tool_behind() {
    let mut scene = Scene::page();
    let child = scene.path("child");
    scene.plan.hooks.before_init =
        vec![format!("echo $$ > '{}'; exec sleep 1000", child.display())];
    let mut book = Book::default();
    let process = tokio::select! {
        _ = scene.run_with(RunType::Tracked, &mut book) => panic!("the hook does not end"),
        process = line_of(&child) => process,
    };
    until_dead(&process).await;
}

#[tokio::test]
async fn what_a_hook_leaves_in_the_background_is_not_waited_for() {
    let mut scene = Scene::page();
    let child = scene.path("child");
    scene.plan.hooks.before_init = vec![format!("sleep 30 & echo $! > '{}'", child.display())];
    let outcome = scene.run(RunType::Tracked).await;
    assert_eq!(outcome.state, RunState::Finished, "{}", reason(&outcome));
    let process = line_of(&child).await;
    assert!(is_alive(&process));
    let id = rustix::process::Pid::from_raw(process.parse().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn runs_go_in_parallel_with_one_provider_cache() {
    // Each apply waits for the other's.
    let module = r#"
variable "mine" {}
variable "other" {}
resource "terraform_data" "a" {
  provisioner "local-exec" {
    command = "touch '${var.mine}'; n=0; until [ -e '${var.other}' ]; do n=$((n+1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done"
  }
}
"#;
    let (mut one, mut two) = (Scene::new(module), Scene::new(module));
    let (a, b) = (
        one.path("a").display().to_string(),
        one.path("b").display().to_string(),
    );
    two.plan.plugin_cache.clone_from(&one.plan.plugin_cache);
    for (scene, mine, other) in [(&mut one, &a, &b), (&mut two, &b, &a)] {
        scene.set("TF_VAR_mine", mine);
        scene.set("TF_VAR_other", other);
    }
    let (first, second) = tokio::join!(one.run(RunType::Tracked), two.run(RunType::Tracked));
    assert_eq!(first.state, RunState::Finished, "{}", reason(&first));
    assert_eq!(second.state, RunState::Finished, "{}", reason(&second));
}
