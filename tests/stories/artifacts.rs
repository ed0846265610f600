//! `artifact` in `service.hcl`: nothing is written before the commit's artifact is there.

use crate::support::web_server::{answer, redirect};
use crate::support::{GithubScene, PullRequest, SERVICE_10, Scene, TOKEN, WebServer};

/// The rules of the service with these lines more.
fn rules(scene: &Scene, lines: &str) {
    let path = "hello-service/service.hcl";
    let text = scene.manager.read("main", path).unwrap();
    scene
        .manager
        .commit("main", &[(path, &format!("{text}\n{lines}\n"))]);
}

fn stands(scene: &Scene) -> bool {
    let file = Scene::file(&PullRequest::service(), SERVICE_10);
    scene.manager.read("main", &file).is_some()
}

/// A scene whose service waits for artifacts of `server`.
fn scene(server: &WebServer, timeout: &str) -> Scene {
    let scene = Scene::new();
    let address = server.url("builds/${code_version}.zip");
    rules(
        &scene,
        &format!("artifact = \"{address}\"\nartifact_timeout = \"{timeout}\""),
    );
    scene
}

#[test]
fn a_preview_waits_for_its_artifact() {
    // Not built, then a server in trouble, then a store that denies heads, then there.
    let server = WebServer::start(|method, path, before| match (method, path, before) {
        ("HEAD", "/store/file", _) => answer("403 Forbidden", b""),
        ("GET", "/store/file", _) => answer("206 Partial Content", b"P"),
        (_, _, 0) => answer("404 Not Found", b""),
        (_, _, 1) => answer("503 Service Unavailable", b""),
        _ => redirect("/store/file"),
    });
    let scene = scene(&server, "60s");
    let pull_request = PullRequest::service();
    let said = scene.event_output("opened", &pull_request).succeeded();
    assert_eq!(said.json()["action"], "created", "{said:?}");
    let address = server.url(&format!("builds/{}.zip", pull_request.sha));
    let told = format!("waiting up to 60 s for {address}: its server answers 404");
    assert!(said.stderr.contains(&told), "{said:?}");
    assert!(stands(&scene));
    let head = format!("HEAD /builds/{}.zip", pull_request.sha);
    let asked = [&head, &head, &head, "HEAD /store/file", "GET /store/file"];
    assert_eq!(server.requests(), asked);

    // What changes nothing waits for nothing, and nor does an end.
    scene.event("labeled", &pull_request);
    let closed = scene.event("closed", &pull_request);
    assert_eq!(closed["action"], "deleted");
    assert_eq!(server.requests().len(), asked.len());
}

#[test]
fn without_its_artifact_nothing_is_written() {
    let server = WebServer::start(|_, _, _| answer("404 Not Found", b""));
    let scene = scene(&server, "1s");
    let before = scene.manager.tip("main");
    let said = scene
        .event_output("opened", &PullRequest::service())
        .exited(5);
    assert!(
        said.stderr
            .contains("is not there after 1 s: its server answers 404"),
        "{said:?}"
    );
    assert!(
        said.stderr
            .contains("hint: see whether the build of this commit has failed"),
        "{said:?}"
    );
    assert_eq!(scene.manager.tip("main"), before);

    let locked = WebServer::start(|_, _, _| answer("401 Unauthorized", b""));
    let scene = self::scene(&locked, "10m");
    let said = scene
        .event_output("opened", &PullRequest::service())
        .exited(5);
    assert!(
        said.stderr
            .contains("wants a login: its server answers 401"),
        "{said:?}"
    );
    assert_eq!(locked.requests().len(), 1);

    let gone = WebServer::start(|_, _, _| Vec::new());
    let scene = self::scene(&gone, "1s");
    drop(gone);
    let said = scene
        .event_output("opened", &PullRequest::service())
        .exited(5);
    assert!(said.stderr.contains("onnection refused"), "{said:?}");
    assert!(!stands(&scene));
}

#[test]
fn latest_waits_for_nothing_and_a_person_neither() {
    let server = WebServer::start(|_, _, _| answer("404 Not Found", b""));
    let scene = scene(&server, "10m");
    let infra = PullRequest::new(crate::support::INFRA, 7, &"c".repeat(40), "feature");
    assert_eq!(scene.event("opened", &infra)["action"], "created");
    let upsert = [
        "env",
        "upsert",
        "acme/hello-service#10",
        "--head-sha",
        "aaaaaaaa",
        "--head-branch",
        "x",
    ];
    scene.dayfly(&upsert).succeeded();
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn what_happens_meanwhile_counts() {
    // The pull request is closed while its artifact is awaited.
    let (closing, closed) = std::sync::mpsc::channel::<()>();
    let server = WebServer::start(move |_, _, before| match before {
        0 => answer("404 Not Found", b""),
        _ => {
            closed.recv().unwrap();
            answer("200 OK", b"")
        }
    });
    let scene = scene(&server, "60s");
    let pull_request = PullRequest::service();
    std::thread::scope(|threads| {
        let path = scene.world.path("opened.json");
        std::fs::write(&path, pull_request.payload("opened", 1).to_string()).unwrap();
        let path = path.to_str().unwrap().to_owned();
        let (world, url) = (&scene.world, scene.manager.url.as_str());
        let mut command = world.command(env!("CARGO_BIN_EXE_dayfly"));
        command.args([
            "event",
            "--event-name",
            "pull_request_target",
            "--event-path",
            &path,
        ]);
        command.args(["--manager", url, "--output", "json"]);
        let opening = threads.spawn(move || command.output().unwrap());
        assert_eq!(
            scene
                .event_at(2, "closed", &pull_request)
                .succeeded()
                .json()["action"],
            "absent"
        );
        closing.send(()).unwrap();
        let opened = opening.join().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&opened.stdout).unwrap();
        assert_eq!(told["action"], "ignored", "{told}");
        assert!(
            told["reason"].as_str().unwrap().starts_with("stale: "),
            "{told}"
        );
    });
    assert!(!stands(&scene));
}

#[test]
fn a_proposal_waits_as_well() {
    let server = WebServer::start(|_, _, before| match before {
        0 => answer("404 Not Found", b""),
        _ => answer("200 OK", b""),
    });
    let github = GithubScene::new();
    let address = server.url("${code_version}");
    rules(&github.scene, &format!("artifact = \"{address}\""));
    let words = github.event(1, "opened", &PullRequest::service());
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.push("--propose");
    let said = github
        .dayfly(&[("DAYFLY_TOKEN", TOKEN)], &words)
        .succeeded();
    assert_eq!(said.json()["action"], "created");
    assert!(said.stderr.contains("waiting up to 600 s"), "{said:?}");
    assert_eq!(server.requests().len(), 2);
    assert_eq!(github.proposals().len(), 1);
}
