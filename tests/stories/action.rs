//! The action, run as GitHub runs it, on a release's archive that is fetched over HTTP.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::support::web_server::answer;
use crate::support::{
    Done, FakeGithub, GithubScene, Grant, Job, PullRequest, TOKEN, WebServer, World, yaml,
};

/// The repository that the recorded payloads are of.
const RECORDED: &str = "Codertocat/Hello-World";
const WORKFLOW_TOKEN: &str = "ghs_workflow";

pub(crate) fn action() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("action")
}

/// The archive of a release: what `DAYFLY_RELEASE` names, or else this build, packed alike.
fn archive() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(|| match std::env::var_os("DAYFLY_RELEASE") {
        Some(path) => path.into(),
        None => pack(Path::new(env!("CARGO_TARGET_TMPDIR"))),
    })
}

/// Packs this build with the script that releases are packed with.
fn pack(to: &Path) -> PathBuf {
    let target = match std::env::consts::OS {
        "macos" => format!("{}-apple-darwin", std::env::consts::ARCH),
        _ => format!("{}-unknown-linux-musl", std::env::consts::ARCH),
    };
    let packed = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/release"))
        .args([&target, "v0.0.0-test", env!("CARGO_BIN_EXE_dayfly")])
        .env("DAYFLY_DIST", to)
        .output()
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
    PathBuf::from(String::from_utf8(packed.stdout).unwrap().trim())
}

/// `v0.1.0` of `dayfly-v0.1.0-x86_64-unknown-linux-musl.tar.gz`.
fn version() -> String {
    let name = archive().file_name().unwrap().to_str().unwrap();
    let rest = name.strip_prefix("dayfly-").unwrap();
    let machine = format!("-{}-", std::env::consts::ARCH);
    rest.split(&machine).next().unwrap().to_owned()
}

/// Where releases are, as a mirror has them.
fn mirror() -> WebServer {
    WebServer::start(|_, path, _| release_file(path))
}

fn release_file(path: &str) -> Vec<u8> {
    let (directory, name) = path.rsplit_once('/').unwrap();
    if directory != format!("/releases/{}", version()) {
        return answer("404 Not Found", b"");
    }
    match fs::read(archive().with_file_name(name)) {
        Ok(bytes) => answer("200 OK", &bytes),
        Err(_) => answer("404 Not Found", b""),
    }
}

fn inputs(given: &[(&str, &str)]) -> Map<String, Value> {
    let given = given.iter();
    given
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect()
}

/// The inputs that fetch from `mirror`, and these.
fn fetching(mirror: &WebServer, more: &[(&str, &str)]) -> Map<String, Value> {
    let mut all = inputs(&[
        ("archives", &mirror.url("releases")),
        ("version", &version()),
    ]);
    all.extend(inputs(more));
    all
}

fn recorded(action: &str) -> Value {
    let path = format!("tests/fixtures/webhooks/{action}.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn each_event_is_told_to_the_manager_repository() {
    let scene = GithubScene::inside(World::with_token(TOKEN));
    let rules = "hello-service/service.hcl";
    let text = scene.scene.manager.read("main", rules).unwrap();
    let text = text.replace("acme/hello-service", RECORDED);
    scene.scene.manager.commit("main", &[(rules, &text)]);
    scene.github.repository(RECORDED, 186_853_002, None);
    let grant = Grant::new(&[RECORDED], &[("pull_requests", "write")]);
    scene.github.token(WORKFLOW_TOKEN, grant);
    let mirror = mirror();

    // In the order in which they were recorded, but for `reopened`: it comes here after the close.
    for (event, later, expected, tells_commit, reason) in [
        ("opened", false, "created", true, ""),
        ("edited", false, "ignored", false, "an edit of the text"),
        ("synchronize", false, "unchanged", false, ""),
        ("labeled", false, "unchanged", false, ""),
        ("unlabeled", false, "unchanged", false, ""),
        ("converted_to_draft", false, "unchanged", false, ""),
        ("ready_for_review", false, "unchanged", false, ""),
        ("closed", false, "deleted", true, ""),
        ("reopened", false, "ignored", false, "stale"),
        ("reopened", true, "created", true, ""),
    ] {
        let mut payload = recorded(event);
        if later {
            payload["pull_request"]["updated_at"] = json!("2019-05-15T16:00:00Z");
        }
        scene.github.put_pull(RECORDED, &payload);
        let mut job = workflow_job(&scene.scene.world, &scene.github, &payload);
        let manager = scene.scene.manager.url.clone();
        let done = job.action(
            &action(),
            &fetching(&mirror, &[("manager", &manager), ("token", TOKEN)]),
        );
        assert!(done.succeeded, "{event}: {}", job.log);
        let output = |name: &str| done.outputs[name].as_str();
        assert_eq!(output("action"), expected, "{event}: {}", job.log);
        let id = output("environment");
        assert!(id.len() == 8 || expected == "ignored", "{event}: {done:?}");
        if expected != "ignored" {
            let url = format!("https://{id}.hello-service.preview.example.com");
            assert_eq!(output("url"), url, "{event}");
            let path = format!("hello-service/environments/codertocat-hello-world-2-{id}.tf");
            assert_eq!(output("path"), path, "{event}");
        }
        let tip = scene.scene.manager.tip("main").unwrap();
        assert_eq!(output("commit") == tip, tells_commit, "{event}: {done:?}");
        assert!(output("reason").contains(reason), "{event}: {done:?}");
        assert!(
            !job.log.contains(TOKEN) && !job.log.contains(WORKFLOW_TOKEN),
            "{}",
            job.log
        );
    }
    // GitHub was asked with the workflow's token, each time.
    assert!(scene.github.requests().len() >= 10);
}

/// A job of the workflow that we generate, with what GitHub gives it.
fn workflow_job<'a>(world: &'a World, github: &FakeGithub, payload: &Value) -> Job<'a> {
    let mut job = Job::new(world, "pull_request_target", payload);
    let api = github.url();
    let server = api.strip_suffix("/api/v3").unwrap().to_owned();
    job.variables.insert("GITHUB_SERVER_URL".into(), server);
    job.variables.insert("GITHUB_API_URL".into(), api);
    job.contexts["github"]["token"] = json!(WORKFLOW_TOKEN);
    job
}

/// A run of the action that has to fail, and its log.
#[track_caller]
fn refused(world: &World, inputs: &Map<String, Value>) -> String {
    let payload = PullRequest::service().payload("opened", 1);
    let mut job = Job::new(world, "pull_request_target", &payload);
    let done = job.action(&action(), inputs);
    assert!(!done.succeeded, "{}", job.log);
    assert_eq!(done.outputs["action"], "");
    job.log
}

#[test]
fn an_archive_that_is_not_what_it_should_be_is_not_run() {
    let world = World::new();
    let tampered = WebServer::start(|_, path, _| {
        let mut said = release_file(path);
        if !path.ends_with(".sha256") {
            *said.last_mut().unwrap() ^= 1;
        }
        said
    });
    let log = refused(&world, &fetching(&tampered, &[]));
    assert!(
        log.contains("is not what it should be: its SHA-256 is"),
        "{log}"
    );

    let good = mirror();
    let log = refused(&world, &fetching(&good, &[("sha256", &"0".repeat(64))]));
    assert!(log.contains("is not what it should be"), "{log}");
    assert!(
        !good
            .requests()
            .iter()
            .any(|asked| asked.ends_with(".sha256"))
    );

    let none = WebServer::start(|_, path, _| match path.ends_with(".sha256") {
        true => answer("200 OK", b"<html>sign in</html>"),
        false => release_file(path),
    });
    let log = refused(&world, &fetching(&none, &[]));
    assert!(log.contains("there is no checksum for dayfly-"), "{log}");
}

#[test]
fn a_download_that_breaks_is_tried_again() {
    let scene = GithubScene::new();
    let setup = [("setup-only", "true")];
    let half = WebServer::start(|_, path, before| {
        let whole = release_file(path);
        let half = whole.len() / 2;
        if before == 0 && !path.ends_with(".sha256") {
            whole[..half].to_vec()
        } else {
            whole
        }
    });
    let world = &scene.scene.world;
    let payload = PullRequest::service().payload("opened", 1);
    let mut job = Job::new(world, "pull_request_target", &payload);
    let done = job.action(&action(), &fetching(&half, &setup));
    assert!(done.succeeded, "{}", job.log);
    // The steps that follow have it on their PATH.
    let version = job.run(&json!({ "run": "dayfly --version" }));
    assert!(
        version.succeeded && job.log.contains("dayfly 0."),
        "{}",
        job.log
    );

    let whole = mirror();
    let missing = fetching(&whole, &[("version", "v9.9.9")]);
    let log = refused(world, &missing);
    assert!(
        log.contains("cannot download") && log.contains("404"),
        "{log}"
    );
    let times = whole.requests().len();
    assert_eq!(times, 1, "what is not there is not asked for again");
}

#[test]
fn a_runner_that_lacks_something_is_told_what() {
    let scene = GithubScene::new();
    let world = &scene.scene.world;
    let mirror = mirror();
    world.program("uname", "#!/bin/sh\necho Plan9\n");
    let log = refused(world, &fetching(&mirror, &[]));
    assert!(
        log.contains("there is no release of dayfly for Plan9 Plan9"),
        "{log}"
    );

    let clear = [
        ("archives", "http://mirror.example"),
        ("setup-only", "true"),
    ];
    fs::remove_file(world.path("bin/uname")).unwrap();
    let log = refused(world, &inputs(&clear));
    assert!(log.contains("in clear text can be another's"), "{log}");

    let log = refused(world, &inputs(&[("binary", "/no/such/dayfly")]));
    assert!(log.contains("there is no program /no/such/dayfly"), "{log}");

    // A runner with nothing but bash.
    let tools = world.path("few");
    fs::create_dir(&tools).unwrap();
    for tool in ["bash", "uname", "tar", "gzip", "awk"] {
        let found = ["/usr/bin", "/bin"].map(|directory| Path::new(directory).join(tool));
        let found = found.iter().find(|path| path.exists()).unwrap();
        std::os::unix::fs::symlink(found, tools.join(tool)).unwrap();
    }
    let find = |path: &str| {
        let mut command = world.command("/bin/bash");
        command.arg(action().join("find")).env("PATH", path);
        for (name, value) in [
            ("BINARY", ""),
            ("VERSION", "v1"),
            ("ARCHIVES", "https://x"),
            ("SHA256", ""),
        ] {
            command.env(name, value);
        }
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = find(tools.to_str().unwrap());
    assert!(said.contains("the runner has no curl"), "{said}");
    fs::write(tools.join("curl"), "").unwrap();
    std::process::Command::new("chmod")
        .arg("755")
        .arg(tools.join("curl"))
        .status()
        .unwrap();
    let said = find(tools.to_str().unwrap());
    assert!(said.contains("neither sha256sum nor shasum"), "{said}");
}

#[test]
fn no_input_is_code_or_a_command_to_the_runner() {
    let scene = GithubScene::new();
    let world = &scene.scene.world;
    let mark = world.path("runner/workspace/mark");
    let code = "$(touch mark)`touch mark`\"; touch mark; '";
    let lines = "\n::set-env name=A::b\n##[error]x\n::add-mask::e";
    let binary = env!("CARGO_BIN_EXE_dayfly");
    for name in [
        "version", "archives", "sha256", "binary", "manager", "service", "propose", "app-id",
    ] {
        for hostile in [code, lines, "\r::error::x"] {
            let mut given = inputs(&[("binary", binary), ("manager", &scene.scene.manager.url)]);
            if matches!(name, "version" | "archives" | "sha256") {
                given.remove("binary");
            }
            given.insert(name.to_owned(), json!(hostile));
            let payload = PullRequest::service().payload("opened", 1);
            let mut job = Job::new(world, "pull_request_target", &payload);
            // The runner itself refuses commands that were not meant: see `Job::tell`.
            let done: Done = job.action(&action(), &given);
            assert!(!mark.exists(), "{name}: {}", job.log);
            // Any word but `true` commits as ever.
            assert_eq!(done.succeeded, name == "propose", "{name}: {}", job.log);
        }
    }
    // A token of many lines is masked line by line, and gives no command.
    let token = "first%line\n::set-output name=x::y\r\nlast";
    let mut job = Job::new(
        world,
        "pull_request_target",
        &PullRequest::service().payload("opened", 1),
    );
    let done = job.action(
        &action(),
        &inputs(&[("binary", binary), ("setup-only", "true"), ("token", token)]),
    );
    assert!(done.succeeded, "{}", job.log);
    job.run(&json!({ "run": "echo 'a first%line b'; echo 'x last'" }));
    assert_eq!(job.log, "a *** b\nx ***\n");
}

#[test]
fn the_release_that_is_fetched_is_the_one_the_action_belongs_to() {
    let version = &yaml(&action().join("action.yml"))["inputs"]["version"]["default"];
    assert_eq!(version, concat!("v", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_archive_is_the_same_each_time_and_holds_what_it_should() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("1"), directory.path().join("2"));
    let [first, second] = [first, second].map(|to| fs::read(pack(&to)).unwrap());
    assert!(first == second, "two archives of one binary differ");

    let unpacked = Command::new("tar")
        .args(["-tzf"])
        .arg(archive())
        .output()
        .unwrap();
    let names = String::from_utf8(unpacked.stdout).unwrap();
    let root = archive()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .replace(".tar.gz", "");
    for name in [
        "dayfly",
        "man/dayfly.1",
        "man/dayfly-event.1",
        "completions/_dayfly",
        "completions/dayfly.bash",
        "completions/dayfly.fish",
        "LICENSE-MIT",
        "LICENSE-APACHE",
    ] {
        assert!(
            names.lines().any(|line| line == format!("{root}/{name}")),
            "{name}: {names}"
        );
    }
    assert!(
        !names.contains("manual"),
        "what is hidden has no page: {names}"
    );
}
