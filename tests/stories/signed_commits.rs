//! Commits signed with an SSH key, as Git verifies them.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Hold, Output, Scene, SshAgent, generate_key};

fn upsert(scene: &Scene, number: u32, variables: &[(&str, &str)], more: &[&str]) -> Output {
    let pull_request = format!("acme/hello-service#{number}");
    let sha = "a".repeat(40);
    let mut arguments = vec![
        "env",
        "upsert",
        &pull_request,
        "--manager",
        &scene.manager.url,
        "--head-sha",
        &sha,
        "--head-branch",
        "x",
    ];
    arguments.extend(more);
    scene.world.dayfly_with(variables, &arguments)
}

#[test]
fn a_given_key_signs_each_commit() {
    let scene = Scene::new();
    let key = scene.world.path("key");
    generate_key(&key, "");
    let path = key.to_str().unwrap();
    let text = fs::read_to_string(&key).unwrap();
    let locked = scene.world.path("locked");
    generate_key(&locked, "");
    let agent = SshAgent::with_key(&scene.world, locked.to_str().unwrap());
    fs::remove_file(&locked).unwrap();

    let public = format!("{}.pub", locked.display());
    upsert(&scene, 1, &[], &["--signing-key", path]).succeeded();
    upsert(&scene, 2, &[("DAYFLY_SIGNING_KEY", text.trim_end())], &[]).succeeded();
    let variables = [
        ("DAYFLY_SIGNING_KEY", public.as_str()),
        ("SSH_AUTH_SOCK", agent.socket.as_str()),
    ];
    upsert(&scene, 3, &variables, &[]).succeeded();
    let delete = [
        "env",
        "delete",
        "acme/hello-service#1",
        "--manager",
        &scene.manager.url,
        "--signing-key",
        path,
    ];
    scene.world.dayfly(&delete).succeeded();

    let allowed = scene.world.path("allowed");
    let line = |name: &str| {
        let public = fs::read_to_string(scene.world.path(name)).unwrap();
        format!("ann@people.example namespaces=\"git\" {public}")
    };
    fs::write(&allowed, line("key.pub") + &line("locked.pub")).unwrap();
    let setting = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    for revision in ["main", "main~1", "main~2", "main~3"] {
        let signature = ["-c", &setting, "log", "-1", "--format=%G? %GS", revision];
        assert_eq!(
            scene.manager.git(&signature),
            "G ann@people.example",
            "{revision}"
        );
        scene
            .manager
            .git(&["-c", &setting, "verify-commit", revision]);
    }
    scene.manager.git(&["fsck", "--strict"]);
    // Nothing was signed before there was a key, and nothing is without one.
    upsert(&scene, 5, &[("DAYFLY_SIGNING_KEY", "")], &[]).succeeded();
    let unsigned = ["-c", &setting, "log", "-1", "--format=%G?", "main"];
    assert_eq!(scene.manager.git(&unsigned), "N");
}

#[test]
fn a_key_that_cannot_sign_ends_it_before_anything_is_pushed() {
    let scene = Scene::new();
    let before = scene.manager.tip("main");
    let key = scene.world.path("key");
    generate_key(&key, "secret");
    let text = fs::read_to_string(&key).unwrap();
    let body: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let cut = text.replace(body[1], "");
    fs::write(scene.world.path("no-key"), "hello").unwrap();
    let requests = scene.world.server.counts().requests;
    for (given, told) in [
        (
            "/no/such/key",
            "cannot use the signing key /no/such/key: there is no such file",
        ),
        ("no-key", "cannot use the signing key no-key: "),
        ("key", "cannot use the signing key key: "),
        (&text, "cannot use the signing key given as text: "),
        (&cut, "cannot use the signing key given as text: "),
    ] {
        let said = upsert(&scene, 1, &[("DAYFLY_SIGNING_KEY", given)], &[]).exited(2);
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(all.starts_with(&format!("error: {told}")), "{all}");
        assert_eq!(all.lines().count(), 2, "{all}");
        assert!(!body.iter().any(|line| all.contains(line)), "{all}");
    }
    assert_eq!(scene.manager.tip("main"), before);
    assert_eq!(scene.world.server.counts().requests, requests);
    // The help shows no value of the variable.
    let help = scene.world.dayfly_with(
        &[("DAYFLY_SIGNING_KEY", text.as_str())],
        &["env", "upsert", "--help"],
    );
    assert!(!help.succeeded().stdout.contains(body[0]));
}

#[test]
fn a_cancelled_job_leaves_no_key_behind() {
    let scene = Scene::new();
    let key = scene.world.path("key");
    generate_key(&key, "");
    let text = fs::read_to_string(&key).unwrap();
    let temporary = scene.world.path("temporary");
    fs::create_dir(&temporary).unwrap();
    let keys = || {
        let entries = fs::read_dir(&temporary).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("dayfly-key-")).count()
    };
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let held = scene.world.server.hold(Hold::Before, |_, _| true);
        let mut job = scene
            .world
            .command(env!("CARGO_BIN_EXE_dayfly"))
            .args(["env", "upsert", "acme/hello-service#1", "--manager"])
            .arg(&scene.manager.url)
            .args(["--head-sha", &"a".repeat(40), "--head-branch", "x"])
            .env("TMPDIR", &temporary)
            .env("DAYFLY_SIGNING_KEY", &text)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        held.wait();
        assert_eq!(keys(), 1, "it is in use");
        let number = job.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &number]).status();
        assert!(sent.unwrap().success());
        assert_eq!(job.wait().unwrap().code(), Some(code), "{signal}");
        assert_eq!(keys(), 0, "{signal}");
    }
}
