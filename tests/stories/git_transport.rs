//! What crosses between repositories, over real smart HTTP: what lands and what is refused.

use std::collections::BTreeSet;
use std::fs;

use dayfly::git::{
    CommitId, Committer, Edit, Extent, GitError, MIRROR, Push, Remote, Repository, Signature,
    Token, commit_paths, init_work_tree, is_on_wire, list_tips,
};

use crate::support::web_server::{WebServer, answer, redirect};
use crate::support::{World, Writer, id, tip};

/// All that an error could show, cause by cause.
fn told(error: &GitError) -> String {
    use dayfly::error::Diagnose;
    format!(
        "{error} {error:?} {:?} {:?}",
        error.hint(),
        std::error::Error::source(error)
    )
}

#[test]
fn a_push_moves_the_branch_from_the_expected_tip() {
    let world = World::new();
    let manager = world.repository("manager");
    let writer = Writer::new(&world, "cache", &manager.url, None);
    assert_eq!(
        list_tips(&writer.remote).unwrap(),
        dayfly::git::Tips::default()
    );

    let first = writer.commit(None, "a");
    assert_eq!(writer.push(&first, None).unwrap(), Push::Accepted);
    // Sent once more, as after an answer that got lost.
    assert_eq!(writer.push(&first, None).unwrap(), Push::Accepted);
    let second = writer.commit(Some(&first), "b");
    assert_eq!(writer.push(&second, Some(&first)).unwrap(), Push::Accepted);

    assert_eq!(manager.subjects("main"), ["add b", "add a"]);
    assert_eq!(manager.read("main", "b").as_deref(), Some("b"));
    let tips = list_tips(&writer.remote).unwrap();
    assert_eq!(tips.head.as_deref(), Some("main"));
    assert_eq!(
        tips.branches.into_iter().collect::<Vec<_>>(),
        [("main".to_owned(), second)]
    );
}

#[test]
fn history_is_never_rewritten() {
    let world = World::new();
    let manager = world.repository("manager");
    let first = id(&manager.commit("main", &[("a", "1")]));
    let second = id(&manager.commit("main", &[("b", "1")]));
    let writer = Writer::new(&world, "cache", &manager.url, None);
    writer.fetch();
    for commit in [
        first.clone(),
        writer.commit(Some(&first), "c"),
        writer.commit(None, "d"),
    ] {
        let pushed = writer.push(&commit, Some(&second));
        assert!(
            matches!(pushed, Err(GitError::NotDescendant { .. })),
            "{pushed:?}"
        );
    }
    assert_eq!(tip(&manager), Some(second));
}

#[test]
fn a_refusal_is_an_error_in_the_servers_words() {
    let world = World::new();
    let manager = world.repository("manager");
    let first = id(&manager.commit("main", &[("a", "1")]));
    let writer = Writer::new(&world, "cache", &manager.url, None);
    writer.fetch();
    manager.hook("pre-receive", "echo 'only on Mondays' >&2; exit 1");
    let error = writer
        .push(&writer.commit(Some(&first), "b"), Some(&first))
        .unwrap_err();
    assert!(matches!(error, GitError::Refused { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot push to branch main of {}: the server refused: pre-receive hook declined; \
             only on Mondays",
            manager.url
        )
    );
    assert_eq!(tip(&manager), Some(first.clone()));

    // A name that can never be made beside `main` is no race either.
    manager.hook("pre-receive", "exit 0");
    let error = writer
        .cache
        .push(
            &writer.remote,
            &writer.commit(Some(&first), "b"),
            "main/x",
            None,
        )
        .unwrap_err();
    assert!(matches!(error, GitError::Refused { .. }), "{error:?}");
}

#[test]
fn only_the_right_token_opens() {
    const SECRET: &str = "ghs_r1ghtT0ken";
    let world = World::with_token(SECRET);
    let manager = world.repository("manager");
    let first = id(&manager.commit("main", &[("a", "1")]));

    let writer = Writer::new(&world, "cache", &manager.url, Some(SECRET));
    assert_eq!(writer.fetch(), Some(first.clone()));
    let second = writer.commit(Some(&first), "b");
    assert_eq!(writer.push(&second, Some(&first)).unwrap(), Push::Accepted);

    // A header that a CI's checkout left behind does not stand in the way.
    let config = writer.cache.path().join("config");
    let section = format!(
        "[http \"{}\"]\n extraHeader = Authorization: Basic eA==\n",
        world.server.url("")
    );
    fs::write(&config, fs::read_to_string(&config).unwrap() + &section).unwrap();
    let third = writer.commit(Some(&second), "c");
    assert_eq!(writer.push(&third, Some(&second)).unwrap(), Push::Accepted);

    // The same secret within the URL.
    let (scheme, place) = manager.url.split_once("://").unwrap();
    let url = format!("{scheme}://x-access-token:{SECRET}@{place}");
    assert_eq!(
        list_tips(&Remote::new(&url, None)).unwrap().branches["main"],
        third
    );
}

#[test]
fn a_redirect_takes_no_token_elsewhere() {
    let elsewhere = WebServer::start(|_, _, _| answer("404 Not Found", b""));
    let target = elsewhere.url("acme/previews.git/info/refs?service=git-upload-pack");
    let server = WebServer::start(move |_, _, _| redirect(&target));
    let url = server.url("acme/previews.git");
    let asked = |remote: &Remote| {
        let error = list_tips(remote).unwrap_err().to_string();
        (elsewhere.requests().len(), error)
    };
    let (requests, error) = asked(&Remote::new(&url, Some(Token::new("ghs_s3cret"))));
    assert_eq!(requests, 0, "{error}");
    assert!(error.contains("is at another address"), "{error}");
    let (requests, error) = asked(&Remote::new(&url, None));
    assert_eq!(requests, 1, "{error}");
}

#[test]
fn a_wrong_token_is_refused_and_shown_nowhere() {
    const SECRET: &str = "ghs_wr0ngT0ken";
    let world = World::with_token("ghs_r1ghtT0ken");
    let manager = world.repository("manager");
    let first = id(&manager.commit("main", &[("a", "1")]));
    let (scheme, place) = manager.url.split_once("://").unwrap();
    let remotes = [
        Remote::new(&manager.url, Some(Token::new(SECRET))),
        Remote::new(&format!("{scheme}://somebody:{SECRET}@{place}"), None),
        Remote::new(
            &format!("{scheme}://{SECRET}@{place}"),
            Some(Token::new(SECRET)),
        ),
    ];
    for remote in remotes {
        let writer = Writer {
            remote,
            ..Writer::new(&world, "cache", &manager.url, None)
        };
        let failures = [
            list_tips(&writer.remote).unwrap_err(),
            writer
                .cache
                .fetch(&writer.remote, &[MIRROR], None)
                .unwrap_err(),
            writer.push(&writer.commit(None, "b"), None).unwrap_err(),
        ];
        for error in failures {
            assert!(matches!(error, GitError::Unauthorized { .. }), "{error:?}");
            let text = told(&error) + &format!("{:?} {}", writer.remote, writer.remote);
            assert!(!text.contains(SECRET), "{text}");
            assert!(text.contains(&manager.url), "{text}");
        }
    }
    assert_eq!(tip(&manager), Some(first));
}

#[test]
fn what_is_not_there_is_named() {
    let world = World::new();
    let manager = world.repository("manager");
    manager.commit("main", &[("a", "1")]);
    let writer = Writer::new(&world, "cache", &manager.url, None);
    for absent in [
        world.server.url("nope.git"),
        world.path("nope").to_str().unwrap().to_owned(),
    ] {
        let remote = Remote::new(&absent, None);
        for error in [
            list_tips(&remote).unwrap_err(),
            writer.cache.fetch(&remote, &[MIRROR], None).unwrap_err(),
            writer
                .cache
                .push(&remote, &writer.commit(None, "a"), "main", None)
                .unwrap_err(),
        ] {
            assert!(matches!(error, GitError::Absent { .. }), "{error:?}");
            assert!(error.to_string().contains(&absent), "{error}");
        }
    }
    for gone in [
        "refs/heads/nope:refs/heads/nope".to_owned(),
        format!("{}:refs/x", "a".repeat(40)),
    ] {
        let error = writer
            .cache
            .fetch(&writer.remote, &[&gone], None)
            .unwrap_err();
        assert!(matches!(error, GitError::RefAbsent { .. }), "{error:?}");
    }
    let error = list_tips(&Remote::new("http://127.0.0.1:1/m.git", None)).unwrap_err();
    assert!(matches!(error, GitError::Command { .. }), "{error:?}");
}

#[test]
fn a_checkouts_current_branch_is_left_alone() {
    let world = World::new();
    let manager = world.repository("manager");
    let first = id(&manager.commit("main", &[("a", "1")]));
    let checkout = world.clone_of(&manager, "checkout");
    // Even where the checkout is set to take the push.
    world.git(
        &checkout,
        &["config", "receive.denyCurrentBranch", "ignore"],
    );
    let url = format!("file://{}", checkout.display());
    for place in [checkout.to_str().unwrap(), &url] {
        let writer = Writer::new(&world, "cache", place, None);
        writer.fetch();
        let commit = writer.commit(Some(&first), "b");
        let error = writer.push(&commit, Some(&first)).unwrap_err();
        assert!(matches!(error, GitError::CheckedOut { .. }), "{error:?}");
        let pushed = writer
            .cache
            .push(&writer.remote, &commit, "previews", None)
            .unwrap();
        assert_eq!(pushed, Push::Accepted);
    }
    assert_eq!(
        world.git(&checkout, &["rev-parse", "main"]).trim(),
        first.as_str()
    );
    assert_eq!(world.git(&checkout, &["status", "--porcelain"]), "");
}

#[test]
fn a_shallow_cache_reads_and_writes() {
    let world = World::new();
    let manager = world.repository("manager");
    for number in 0..10 {
        manager.commit("main", &[(&format!("f{number}"), "1")]);
    }
    let writer = Writer::new(&world, "cache", &manager.url, None);
    let refspec = ["+refs/heads/main:refs/heads/main"];
    writer
        .cache
        .fetch(&writer.remote, &refspec, Some(1))
        .unwrap();
    let first = writer.cache.branch_tip("main").unwrap().unwrap();
    assert!(
        !writer
            .cache
            .contains(&id(&manager.git(&["rev-parse", "main~1"])))
    );

    let second = writer.commit(Some(&first), "x");
    assert_eq!(writer.push(&second, Some(&first)).unwrap(), Push::Accepted);
    let third = id(&manager.commit("main", &[("y", "1")]));
    writer
        .cache
        .fetch(&writer.remote, &refspec, Some(1))
        .unwrap();
    assert_eq!(
        writer.cache.branch_tip("main").unwrap(),
        Some(third.clone())
    );
    assert_eq!(writer.cache.changed_paths(&second, &third).unwrap(), ["y"]);
    // In a handle of its own, as the next call of the program has it.
    let again = Writer::new(&world, "cache", &manager.url, None);
    let fourth = again.commit(Some(&third), "z");
    assert_eq!(again.push(&fourth, Some(&third)).unwrap(), Push::Accepted);
    assert_eq!(manager.subjects("main").len(), 13);
    manager.git(&["fsck", "--strict"]);
}

#[test]
fn a_shallow_checkout_can_be_read_from() {
    let world = World::new();
    let manager = world.repository("manager");
    manager.commit("main", &[("a", "1")]);
    let tip = id(&manager.commit("main", &[("b", "1")]));
    let checkout = world.path("checkout");
    let to = checkout.to_str().unwrap();
    let clone = ["clone", "--quiet", "--depth=1", &manager.url, to];
    world.git(&world.path(""), &clone);
    let writer = Writer::new(&world, "cache", to, None);
    assert_eq!(writer.fetch(), Some(tip.clone()));
    assert_eq!(writer.cache.commit_info(&tip).unwrap().message, "change");
    let copy = Writer::new(&world, "copy", &manager.url, None);
    let refspec = ["+refs/heads/main:refs/heads/main"];
    copy.cache
        .fetch(
            &Remote::new(manager.path.to_str().unwrap(), None),
            &refspec,
            Some(1),
        )
        .unwrap();
    assert_eq!(copy.cache.branch_tip("main").unwrap(), Some(tip));
}

#[test]
fn a_commit_is_fetched_by_its_id_and_outlives_its_branch() {
    let world = World::new();
    let infra = world.repository("infra");
    infra.commit("main", &[("main.tf", "1")]);
    infra.branch("feature", "main");
    let wanted = id(&infra.commit("feature", &[("main.tf", "2")]));
    infra.commit("feature", &[("main.tf", "3")]);
    let writer = Writer::new(&world, "cache", &infra.url, None);
    let refspec = format!("+{wanted}:refs/dayfly/pins/run-1");
    writer
        .cache
        .fetch(&writer.remote, &[&refspec], Some(1))
        .unwrap();

    writer.fetch();
    infra.delete_branch("feature");
    writer.fetch();
    // A fetch that fails takes nothing away.
    let absent = format!("+{}:refs/dayfly/pins/run-1", "a".repeat(40));
    assert!(
        writer
            .cache
            .fetch(&writer.remote, &[&absent], Some(1))
            .is_err()
    );
    assert_eq!(writer.cache.branch_tip("feature").unwrap(), None);
    world.git(writer.cache.path(), &["gc", "--quiet", "--prune=now"]);
    let target = world.path("workspace");
    Repository::open(writer.cache.path())
        .unwrap()
        .checkout(&wanted, &target)
        .unwrap();
    assert_eq!(fs::read_to_string(target.join("main.tf")).unwrap(), "2");

    writer.cache.unpin("run-1").unwrap();
    world.git(writer.cache.path(), &["gc", "--quiet", "--prune=now"]);
    assert!(
        !Repository::open(writer.cache.path())
            .unwrap()
            .contains(&wanted)
    );
}

#[test]
fn branch_names_are_data() {
    let world = World::new();
    let manager = world.repository("manager");
    manager.commit("main", &[("a", "1")]);
    let names = [
        "x${file(\"a\")}",
        "-upload-pack=touch",
        "--force",
        "a;b",
        "$(touch${IFS}x)",
        "`id`",
        "feat/ünï—çødé",
        "refs/heads/main",
        "+plus",
        "HEAD",
        "'q'",
        "a|b&c",
        "100%",
        "@{x",
    ];
    let writer = Writer::new(&world, "cache", &manager.url, None);
    let commit = writer.commit(None, "b");
    let mut expected = BTreeSet::from(["main".to_owned()]);
    for name in names {
        let pushed = writer.cache.push(&writer.remote, &commit, name, None);
        if name.contains("@{") {
            assert!(
                matches!(pushed, Err(GitError::BranchName { .. })),
                "{pushed:?}"
            );
            continue;
        }
        assert_eq!(pushed.unwrap(), Push::Accepted, "{name}");
        expected.insert(name.to_owned());
    }
    let tips = list_tips(&writer.remote).unwrap();
    assert_eq!(tips.head.as_deref(), Some("main"));
    assert_eq!(
        tips.branches.keys().cloned().collect::<BTreeSet<_>>(),
        expected
    );
    let reader = Writer::new(&world, "reader", &manager.url, None);
    reader.fetch();
    for name in &expected {
        let refspec = format!("+refs/heads/{name}:refs/dayfly/pins/one");
        reader
            .cache
            .fetch(&reader.remote, &[&refspec], None)
            .unwrap();
        let fetched = reader.cache.reference_tip("refs/dayfly/pins/one").unwrap();
        assert_eq!(fetched.as_ref(), Some(&tips.branches[name]), "{name}");
        assert_eq!(reader.cache.branch_tip(name).unwrap(), fetched, "{name}");
    }
}

#[test]
fn a_new_repository_is_pushed_by_its_person() {
    let world = World::new();
    let manager = world.repository("manager");
    let directory = world.path("previews");
    assert!(init_work_tree(&directory).unwrap());
    fs::write(directory.join("main.tf"), "").unwrap();
    let commit = commit_paths(&directory, &["main.tf".to_owned()], "Begin").unwrap();
    world.git(&directory, &["push", "--quiet", &manager.url, "main"]);
    assert_eq!(tip(&manager), commit);
}

#[test]
fn the_command_goes_on_where_the_wire_ends() {
    let world = World::new();
    let manager = world.repository("manager");
    manager.commit("main", &[("a/b/c/deep", "1"), ("a/file", "2")]);
    let first = id(&manager.commit("main", &[("top", "3")]));
    let writer = Writer::new(&world, "cache", &manager.url, None);
    assert!(is_on_wire(&writer.remote));
    // Who names a user has a password for it somewhere: that is for the command.
    let command = Remote::new(&manager.url.replace("http://", "http://ann@"), None);
    assert!(!is_on_wire(&command));
    assert_eq!(
        list_tips(&writer.remote).unwrap(),
        list_tips(&command).unwrap()
    );

    let seen = std::slice::from_ref(&first);
    let cache = &writer.cache;
    assert!(cache.fetch_seen(&writer.remote, seen, 1, Extent::Upper));
    let second = writer.commit(Some(&first), "a/new");
    let pushed = cache.push(&command, &second, "main", Some(&first));
    assert_eq!(pushed.unwrap(), Push::Accepted);
    // And the other way round, with a file that is not here.
    let third = writer.commit(Some(&second), "a/newer");
    assert_eq!(writer.push(&third, Some(&second)).unwrap(), Push::Accepted);
    for (path, content) in [("a/b/c/deep", "1"), ("a/file", "2"), ("a/newer", "a/newer")] {
        assert_eq!(manager.read("main", path).as_deref(), Some(content));
        let files = cache.remote_tree(&third, &writer.remote).unwrap();
        let read = dayfly::files::Files::read(&files, path).unwrap();
        assert_eq!(read.as_deref(), Some(content.as_bytes()), "{path}");
    }
    manager.git(&["fsck", "--strict"]);
}

#[test]
fn a_change_and_its_revert_are_one_push() {
    let world = World::new();
    let manager = world.repository("manager");
    // As strict as hosts are, and without the leniency for few objects.
    manager.git(&["config", "receive.fsckObjects", "true"]);
    manager.git(&["config", "receive.unpackLimit", "1"]);
    let files: Vec<(String, String)> = (0..40)
        .map(|number| (format!("a/{number:02}"), number.to_string()))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (&**path, &**text))
        .collect();
    let first = id(&manager.commit("main", &files));
    let writer = Writer::new(&world, "cache", &manager.url, None);
    let seen = std::slice::from_ref(&first);
    assert!(
        writer
            .cache
            .fetch_seen(&writer.remote, seen, 1, Extent::Upper)
    );
    let added = writer.commit(Some(&first), "a/new");
    let removal = Edit::Remove {
        path: "a/new".to_owned(),
    };
    let removed = writer.cache.commit_edits(
        Some(&added),
        &[removal],
        "remove it",
        &Signature::new("Ann", "ann@people.example"),
        &Committer::default(),
        "2026-11-21T09:00:00Z".parse().unwrap(),
    );
    let removed = removed.unwrap().unwrap();
    let again = writer.commit(Some(&removed), "a/new");
    assert_eq!(writer.push(&again, Some(&first)).unwrap(), Push::Accepted);
    assert_eq!(tip(&manager), Some(again));
    manager.git(&["fsck", "--strict"]);
}

#[test]
fn a_branch_is_followed_from_where_it_stood() {
    let world = World::new();
    let manager = world.repository("manager");
    // With them the server leaves out all that was ever there before what is here.
    manager.git(&["config", "pack.writeBitmaps", "true"]);
    manager.commit("main", &[("a/file", "1"), ("a/b/c/deep", "x")]);
    let second = id(&manager.commit("main", &[("a/file", "2")]));
    let reader = Writer::new(&world, "cache", &manager.url, None);
    let (cache, remote) = (&reader.cache, &reader.remote);
    // What it begins from is the command's to fetch.
    assert!(!cache.follow(remote, "main", &second).unwrap());
    let branch = ["+refs/heads/main:refs/heads/main"];
    cache.fetch(remote, &branch, Some(1)).unwrap();
    let whole = |seen: &CommitId, expected: &[(&str, &str)]| {
        assert!(cache.follow(remote, "main", seen).unwrap());
        assert_eq!(cache.branch_tip("main").unwrap().as_ref(), Some(seen));
        assert_eq!(cache.history(seen).next().unwrap().unwrap().0, *seen);
        let files = cache.tree(seen).unwrap();
        for (path, content) in expected {
            let read = dayfly::files::Files::read(&files, path).unwrap();
            assert_eq!(read.as_deref(), Some(content.as_bytes()), "{path}");
        }
    };
    whole(&second, &[("a/file", "2"), ("a/b/c/deep", "x")]);
    // What it says is in history only, which is not here.
    let third = id(&manager.commit("main", &[("a/file", "1")]));
    manager.git(&["repack", "-adq", "--write-bitmap-index"]);
    whole(&third, &[("a/file", "1"), ("a/b/c/deep", "x")]);
    // Too much to be taken apart.
    let many: Vec<(String, String)> = (0..150)
        .map(|number| (format!("many/{number}"), format!("content {number}")))
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(path, text)| (&**path, &**text)).collect();
    let fourth = id(&manager.commit("main", &many));
    whole(&fourth, &many);
    whole(&fourth, &[("a/file", "1"), ("a/b/c/deep", "x")]);
    // A force push back, and the command goes on from there.
    manager.git(&["update-ref", "refs/heads/main", second.as_str()]);
    whole(&second, &[("a/file", "2"), ("a/b/c/deep", "x")]);
    let fifth = id(&manager.commit("main", &[("a/file", "5")]));
    cache.fetch(remote, &branch, Some(50)).unwrap();
    assert_eq!(cache.branch_tip("main").unwrap(), Some(fifth.clone()));
    assert_eq!(cache.history(&fifth).count(), 3);
    whole(&fifth, &[("a/file", "5"), ("a/b/c/deep", "x")]);
    let git = ["-C", cache.path().to_str().unwrap(), "fsck", "--strict"];
    world.git(cache.path(), &git[2..]);
}
