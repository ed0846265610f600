//! The manager repository over ssh: with a key's file, with its text, with an agent.

use std::fs;

use crate::support::{Scene, SshAgent, SshServer};

/// Opens a preview through `manager`, with these variables; what the command said and its status.
fn upsert(
    scene: &Scene,
    manager: &str,
    number: u32,
    variables: &[(&str, &str)],
) -> crate::support::Output {
    let pull_request = format!("acme/hello-service#{number}");
    let sha = "a".repeat(40);
    scene.world.dayfly_with(
        variables,
        &[
            "env",
            "upsert",
            &pull_request,
            "--manager",
            manager,
            "--head-sha",
            &sha,
            "--head-branch",
            "x",
        ],
    )
}

#[test]
fn a_key_opens_the_manager_repository() {
    let scene = Scene::new();
    let server = SshServer::start(&scene.world);
    let url = server.url(&scene.manager.path);
    let key = server.path("key");
    let text = fs::read_to_string(&key).unwrap();

    upsert(&scene, &url, 1, &[("DAYFLY_SSH_KEY", &key)]).succeeded();
    // As CI holds it: without its last line end, with another system's.
    let pasted = text.trim_end().replace('\n', "\r\n");
    let temporary = scene.world.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let variables = [
        ("DAYFLY_SSH_KEY", pasted.as_str()),
        ("TMPDIR", temporary.to_str().unwrap()),
    ];
    upsert(&scene, &url, 2, &variables).succeeded();
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let agent = SshAgent::with_key(&scene.world, &key);
    upsert(&scene, &url, 3, &[("SSH_AUTH_SOCK", &agent.socket)]).succeeded();
    let named = format!("previews:{}", scene.manager.path.display());
    upsert(&scene, &named, 4, &[("DAYFLY_SSH_KEY", &key)]).succeeded();

    let files = scene.manager.files("main");
    for number in 1..=4 {
        let name = format!("acme-hello-service-{number}-");
        assert!(files.iter().any(|file| file.contains(&name)), "{files:?}");
    }
}

#[test]
fn a_path_is_no_shell_word() {
    let scene = Scene::new();
    let server = SshServer::start(&scene.world);
    let directory = scene.world.path("a b $(touch x) `touch y` it's");
    fs::create_dir(&directory).unwrap();
    let key = directory.join("key");
    fs::copy(server.path("key"), &key).unwrap();
    let url = server.url(&scene.manager.path);
    let variables = [("DAYFLY_SSH_KEY", key.to_str().unwrap())];
    upsert(&scene, &url, 1, &variables).succeeded();
    let resolved = directory.join("%d");
    fs::copy(&key, &resolved).unwrap();
    let variables = [("DAYFLY_SSH_KEY", resolved.to_str().unwrap())];
    upsert(&scene, &url, 2, &variables).exited(2);
    assert!(!scene.world.path("x").exists() && !scene.world.path("y").exists());
}

#[test]
fn the_wrong_key_is_one_clear_error() {
    let scene = Scene::new();
    let server = SshServer::start(&scene.world);
    let url = server.url(&scene.manager.path);
    let text = fs::read_to_string(server.path("stranger")).unwrap();
    let agent = SshAgent::with_key(&scene.world, &server.path("key"));
    for (key, hidden) in [
        (server.path("stranger"), None),
        (text.clone(), Some(text.lines().nth(1).unwrap())),
    ] {
        // The agent's key would open, but another one was given.
        let variables = [
            ("DAYFLY_SSH_KEY", key.as_str()),
            ("SSH_AUTH_SOCK", agent.socket.as_str()),
        ];
        let said = upsert(&scene, &url, 1, &variables).exited(5).stderr;
        assert!(said.contains("access denied to the SSH key "), "{said}");
        assert!(said.contains("DAYFLY_SSH_KEY names another"), "{said}");
        assert!(said.contains("Permission denied (publickey)"), "{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
        assert!(hidden.is_none_or(|hidden| !said.contains(hidden)), "{said}");
    }
    let missing = [("DAYFLY_SSH_KEY", "/no/such/key")];
    let said = upsert(&scene, &url, 1, &missing).exited(2).stderr;
    assert!(
        said.contains("cannot use the SSH key /no/such/key: there is no such file"),
        "{said}"
    );
    // A key for another way in is not looked at.
    upsert(&scene, &scene.manager.url, 1, &missing).succeeded();
}

#[test]
fn a_server_that_nobody_knows_is_not_trusted() {
    let scene = Scene::new();
    let server = SshServer::start(&scene.world);
    fs::write(server.path("known_hosts"), "").unwrap();
    let url = server.url(&scene.manager.path);
    let key = server.path("key");
    let said = upsert(&scene, &url, 1, &[("DAYFLY_SSH_KEY", &key)])
        .exited(5)
        .stderr;
    assert!(said.contains("the server's key is not known"), "{said}");
    assert!(said.contains("ssh-keyscan"), "{said}");
}

#[test]
fn a_users_own_ssh_command_is_kept() {
    let scene = Scene::new();
    let server = SshServer::start(&scene.world);
    let url = server.url(&scene.manager.path);
    let key = server.path("key");
    let own = format!("ssh -i {key}");
    upsert(&scene, &url, 1, &[("GIT_SSH_COMMAND", &own)]).succeeded();
    let configured = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.sshCommand"),
        ("GIT_CONFIG_VALUE_0", own.as_str()),
    ];
    upsert(&scene, &url, 2, &configured).succeeded();
    // Without a word of the user's nobody is asked at a prompt: it ends at once.
    upsert(&scene, &url, 3, &[]).exited(5);
}
