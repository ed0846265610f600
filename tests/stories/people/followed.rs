//! Runs and their logs as they come.

use std::fs;

use super::*;

/// The lines that a program prints, as they come.
struct Lines {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Lines {
    fn of(scene: &Scene, arguments: &[&str]) -> Self {
        use std::io::BufRead;
        let mut command = scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(scene.world.path("data"));
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let reader = std::io::BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    fn until(&self, words: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|_| panic!("{words} did not come after {seen:?}"));
            seen.push(line);
            if seen.last().unwrap().contains(words) {
                return seen;
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn states_and_logs_are_followed_while_another_process_applies() {
    let scene = Scene::new();
    gated(&scene, "before_plan");
    // Before anything was applied.
    let followed = Lines::of(&scene, &["runs", "--follow", "--stack", STACK_10]);
    scene.event("opened", &PullRequest::service());
    let mut apply = spawn(&scene);
    wait_until("the plan", || started(&scene));
    let (run, ..) = last(&scene);
    let so_far = scene.data(&["logs", &run]).succeeded().stdout;
    assert!(so_far.contains("== before_plan"), "{so_far}");
    assert!(!so_far.contains("== plan"), "{so_far}");
    let log = Lines::of(&scene, &["logs", &run, "--follow"]);
    log.until("== before_plan");
    fs::write(scene.world.path("gate"), "").unwrap();
    log.until("Apply complete!");
    let seen = followed.until("FINISHED");
    let words = |line: &String| line.split_whitespace().last().unwrap().to_owned();
    let seen: Vec<String> = seen.iter().map(words).collect();
    assert_eq!(seen.last().unwrap(), "FINISHED");
    assert!(
        seen.ends_with(&["PLANNING".into(), "APPLYING".into(), "FINISHED".into()]),
        "{seen:?}"
    );
    apply.wait().unwrap();
    let mut log = log;
    assert!(log.child.wait().unwrap().success(), "it ends with the run");
}

#[test]
fn a_stream_ends_when_its_reader_has_gone() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    scene.apply().succeeded();
    let mut command = scene.world.command(env!("CARGO_BIN_EXE_dayfly"));
    command
        .args(["runs", "--follow", "--data-dir"])
        .arg(scene.world.path("data"));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut ended = None;
    wait_until("the end", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    assert!(ended.unwrap().success());
}
