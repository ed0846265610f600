use super::*;

fn rejected(summary: &str) -> String {
    format!(
        "To http://h/m.git\n!\t{}:refs/heads/main\t{summary}\nDone\n",
        "a".repeat(40)
    )
}

#[test]
fn races_are_told_from_refusals() {
    let refused = |words: &str| Verdict::Refused(words.to_owned());
    let table = [
        ("[rejected] (fetch first)", "", Verdict::LostRace),
        ("[rejected] (non-fast-forward)", "", Verdict::LostRace),
        ("[rejected] (stale info)", "", Verdict::LostRace),
        (
            "[remote rejected] (failed to update ref)",
            "",
            Verdict::LostRace,
        ),
        (
            "[remote rejected] (incorrect old value provided)",
            "",
            Verdict::LostRace,
        ),
        (
            "[remote rejected] (cannot lock ref 'refs/heads/main': is at a but expected b)",
            "",
            Verdict::LostRace,
        ),
        (
            "[remote rejected] (failed to update ref)",
            "remote: error: cannot lock ref 'refs/heads/a/b': 'refs/heads/a' exists; cannot create 'refs/heads/a/b'\n",
            refused(
                "failed to update ref; cannot lock ref 'refs/heads/a/b': 'refs/heads/a' exists; cannot create 'refs/heads/a/b'",
            ),
        ),
        (
            "[remote rejected] (pre-receive hook declined)",
            "Writing objects: 100% (3/3), done.\rremote: Resolving deltas: 100%\nremote: only on Mondays.\u{1b}[2J\nerror: failed to push some refs\n",
            refused("pre-receive hook declined; only on Mondays.[2J"),
        ),
        (
            "[remote rejected] (protected branch hook declined)",
            "remote: error: GH006: Protected branch update failed for refs/heads/main.\n",
            refused(
                "protected branch hook declined; GH006: Protected branch update failed for refs/heads/main",
            ),
        ),
        (
            "[remote rejected] (branch is currently checked out)",
            "",
            Verdict::CheckedOut,
        ),
        (
            "[remote failure] (remote failed to report status)",
            "",
            Verdict::Unheard,
        ),
    ];
    for (summary, stderr, expected) in table {
        assert_eq!(verdict(&rejected(summary), stderr), expected, "{summary}");
    }
}

#[test]
fn an_atomic_push_has_one_verdict() {
    let refused = |words: &str| Verdict::Refused(words.to_owned());
    let locked = "remote: error: cannot lock ref 'refs/heads/main': is at a but expected b\n";
    // what is said of the branch, of the other reference, and beside them
    let table = [
        (" [ok]", "*[new reference]", "", Verdict::Accepted),
        (" [ok]", "-[deleted]", "", Verdict::Accepted),
        (
            "![rejected] (atomic push failed)",
            "![rejected] (stale info)",
            "",
            Verdict::LostRace,
        ),
        (
            "![rejected] (stale info)",
            "![rejected] (atomic push failed)",
            "",
            Verdict::LostRace,
        ),
        (
            "![remote rejected] (atomic transaction failed)",
            "![remote rejected] (atomic transaction failed)",
            locked,
            Verdict::LostRace,
        ),
        (
            "![remote rejected] (atomic transaction failed)",
            "![remote rejected] (atomic transaction failed)",
            "remote: error: disk\n",
            refused("atomic transaction failed; disk"),
        ),
        (
            "![remote rejected] (atomic push failure)",
            "![remote rejected] (hook declined)",
            "remote: not here\n",
            refused("hook declined; not here"),
        ),
        // Git's own server moves the branch here all the same.
        (
            " a..b",
            "![remote rejected] (deny updating a hidden ref)",
            "",
            refused("deny updating a hidden ref"),
        ),
    ];
    for (branch, other, stderr, expected) in table {
        let line = |said: &str, name: &str| {
            let (flag, summary) = said.split_at(1);
            format!("{flag}\ta:{name}\t{summary}\n")
        };
        let stdout = format!(
            "To x\n{}{}Done\n",
            line(branch, "refs/heads/main"),
            line(other, "refs/x")
        );
        assert_eq!(
            verdict(&stdout, stderr),
            expected,
            "{branch} {other} {stderr}"
        );
    }
    let said = |stderr: &str| verdict("", stderr);
    let unknown = "fatal: the receiving end does not support --atomic push\n";
    assert_eq!(
        said(unknown),
        refused("the receiving end does not support --atomic push")
    );
    assert_eq!(said("fatal: x"), Verdict::Unheard);
}

#[test]
fn accepted_is_what_the_server_took() {
    for flag in [" ", "*", "="] {
        let line = format!("To x\n{flag}\tabc:refs/heads/main\tabc..def\nDone\n");
        assert_eq!(verdict(&line, ""), Verdict::Accepted, "{flag:?}");
    }
    assert_eq!(verdict("", "fatal: x"), Verdict::Unheard);
}

#[test]
fn failures_are_told_apart() {
    let kind = |stderr: &str| match failure("do it".into(), stderr, None) {
        GitError::Unauthorized { .. } => "unauthorized",
        GitError::Absent { .. } => "absent",
        GitError::RefAbsent { .. } => "no such ref",
        GitError::UnknownHost { .. } => "unknown host",
        GitError::Command { .. } => "other",
        error => panic!("{error}"),
    };
    let table = [
        (
            "fatal: Authentication failed for 'https://h/m/'",
            "unauthorized",
        ),
        (
            "fatal: could not read Username for 'https://h': terminal prompts disabled",
            "unauthorized",
        ),
        (
            "fatal: unable to access 'https://h/m/': The requested URL returned error: 403",
            "unauthorized",
        ),
        (
            "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            "unauthorized",
        ),
        (
            "remote: Repository not found.\nfatal: repository 'https://h/m/' not found",
            "absent",
        ),
        (
            "fatal: repository 'http://127.0.0.1:1/m/' not found",
            "absent",
        ),
        (
            "fatal: '/srv/m' does not appear to be a git repository",
            "absent",
        ),
        (
            "fatal: couldn't find remote ref refs/heads/x",
            "no such ref",
        ),
        (
            "error: Server does not allow request\nfatal: remote error: upload-pack: not our ref abc",
            "no such ref",
        ),
        (
            "fatal: unable to access 'https://h/': Could not resolve host: h",
            "other",
        ),
        (
            "No ED25519 host key is known for h and you have requested strict checking.\nHost key verification failed.\nfatal: Could not read from remote repository.",
            "unknown host",
        ),
        ("", "other"),
    ];
    for (stderr, expected) in table {
        assert_eq!(kind(stderr), expected, "{stderr}");
    }
    assert_eq!(spoken("\n"), "git gave no reason");
}

#[test]
fn a_refusal_says_to_whom() {
    let asker = || Some("the token in DAYFLY_TOKEN".to_owned());
    for (stderr, expected) in [
        (
            "fatal: could not read Username for 'https://h': terminal prompts disabled",
            "access denied to the token in DAYFLY_TOKEN: the server answered 401",
        ),
        (
            "remote: Invalid username or token.\nfatal: Authentication failed for 'https://h/m/'",
            "access denied to the token in DAYFLY_TOKEN: the server answered 401: Invalid username \
             or token",
        ),
        (
            "remote: Write access to repository not granted.\nfatal: unable to access \
             'https://h/m/': The requested URL returned error: 403",
            "access denied to the token in DAYFLY_TOKEN: the server answered 403: Write access to \
             repository not granted",
        ),
        (
            "remote: Repository not found.\nfatal: repository 'https://h/m/' not found",
            "no such repository, or none that the token in DAYFLY_TOKEN may see: Repository not \
             found.; repository 'https://h/m/' not found",
        ),
    ] {
        let told = failure("do it".into(), stderr, asker()).to_string();
        assert_eq!(told, format!("cannot do it: {expected}"));
    }
}

#[test]
fn long_speeches_are_cut() {
    assert!(spoken(&"é".repeat(5000)).chars().count() <= 601);
}
