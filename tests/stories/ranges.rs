//! `validate --only-environments`: what a range of commits may touch, and each kind of trespass.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Output, Scene};

/// A clone of a manager repository with one open preview, as a CI's checkout has it.
pub(crate) struct Checkout {
    pub(crate) scene: Scene,
    pub(crate) directory: PathBuf,
    /// The file of the preview.
    pub(crate) file: String,
}

impl Checkout {
    pub(crate) fn new() -> Self {
        let scene = Scene::new();
        let opened = scene.dayfly(&[
            "env",
            "upsert",
            "acme/hello-service#1",
            "--head-sha",
            "aaaaaaaa",
            "--head-branch",
            "x",
            "--output",
            "json",
        ]);
        let file = opened.succeeded().json()["path"]
            .as_str()
            .unwrap()
            .to_owned();
        let directory = scene.world.clone_of(&scene.manager, "checkout");
        let this = Self {
            scene,
            directory,
            file,
        };
        this.git(&["branch", "base"]);
        this
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.scene.world.git(&self.directory, arguments)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.directory.join(path)).unwrap()
    }

    /// Commits all that stands in the work tree.
    pub(crate) fn commit(&self) {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--message", "x"]);
    }

    pub(crate) fn check(&self, range: &str) -> Output {
        self.scene.world.dayfly(&[
            "validate",
            "--manager",
            self.directory.to_str().unwrap(),
            "--only-environments",
            range,
            "--output",
            "json",
        ])
    }

    /// The trespasses of `base..HEAD`, each as `path: reason`.
    pub(crate) fn trespasses(&self) -> Vec<String> {
        let output = self.check("base..HEAD");
        let told = output.json();
        let found = told["trespasses"].as_array().unwrap();
        assert_eq!(output.status, i32::from(!found.is_empty()));
        assert_eq!(told["valid"], found.is_empty());
        let word = |trespass: &Value, name: &str| trespass[name].as_str().unwrap().to_owned();
        found
            .iter()
            .map(|trespass| format!("{}: {}", word(trespass, "path"), word(trespass, "reason")))
            .collect()
    }

    /// Drops all commits behind `base`.
    pub(crate) fn reset(&self) {
        self.git(&["reset", "--quiet", "--hard", "base"]);
        self.git(&["clean", "--quiet", "-dfx"]);
    }
}

#[test]
fn what_the_writer_commits_passes() {
    let checkout = Checkout::new();
    let scene = &checkout.scene;
    let upsert = |number: &str, branch: &str| {
        let arguments = [
            "env",
            "upsert",
            number,
            "--head-sha",
            "bbbbbbbb",
            "--head-branch",
        ];
        scene
            .dayfly(&[&arguments[..], &[branch]].concat())
            .succeeded();
    };
    upsert("acme/hello-service#1", "x");
    upsert("acme/hello-service#2", "x${file(\"/etc/passwd\")}%{if}\"`'");
    upsert("acme/hello-infra#3", "feat/ünï");
    scene
        .dayfly(&["env", "delete", "acme/hello-service#1"])
        .succeeded();
    checkout.git(&["pull", "--quiet"]);
    assert_eq!(checkout.trespasses(), [""; 0]);
    assert_eq!(checkout.check("base..HEAD").json()["commits"], 4);
    // A bare repository and another spelling of the range.
    let bare = scene.manager.path.to_str().unwrap();
    let told = scene.world.dayfly(&[
        "validate",
        "--manager",
        bare,
        "--only-environments",
        "main~4...main",
    ]);
    assert_eq!(
        told.succeeded().stdout,
        "valid: 4 commits, 0 refused changes\n"
    );
}

#[test]
fn each_kind_of_trespass_is_named() {
    let checkout = Checkout::new();
    let (file, text) = (checkout.file.as_str(), checkout.read(&checkout.file));
    let with = |from: &str, to: &str| {
        assert!(text.contains(from));
        text.replace(from, to)
    };
    for (path, content, reason) in [
        (
            "policies/trigger.rego",
            "x".to_owned(),
            "it is no environment file",
        ),
        (
            "hello-service/service.hcl",
            "x".to_owned(),
            "it is no environment file",
        ),
        (
            "hello-service/template/main.tf",
            "x".to_owned(),
            "it is no environment file",
        ),
        (
            "hello-service/environments/variables.tf",
            "x".to_owned(),
            "it is no environment file",
        ),
        (
            "hello-service/environments/.terraform.lock.hcl",
            "x".to_owned(),
            "it is no environment file",
        ),
        (
            "hello-service/environments/x_override.tf",
            text.clone(),
            "it is no environment file",
        ),
        (
            "hello-service/environments/x/x.tf",
            text.clone(),
            "it is no environment file",
        ),
        (
            ".github/workflows/x.yml",
            "x".to_owned(),
            "it is no environment file",
        ),
        (
            "other/environments/x.tf",
            text.clone(),
            "other is no service",
        ),
        (
            "policies/environments/x.tf",
            text.clone(),
            "policies is no service",
        ),
        (
            file,
            with("\"../template\"", "\"git::https://evil.example/x\""),
            "line 2: `source` must be \"../template\", as the service's template has it",
        ),
        (
            file,
            with("= var.service", "= var.other"),
            "line 10: `service` must be var.service, as the service's template has it",
        ),
        (
            file,
            with("\"aaaaaaaa\"", "file(\"/proc/self/environ\")"),
            "line 5: `code_version` is no plain value",
        ),
        (
            file,
            with("\"aaaaaaaa\"", "\"${path.root}\""),
            "line 5: `code_version` is no plain value",
        ),
        (
            file,
            with("  service ", "  administrative = true\n  service "),
            "line 10: the service's template sets no `administrative`",
        ),
        (
            file,
            format!("{text}provider \"aws\" {{}}\n"),
            "line 12: it holds a `provider` block",
        ),
        (
            file,
            format!("{text}locals {{}}\n"),
            "line 12: it holds a `locals` block",
        ),
        (
            file,
            format!("{text}{text}"),
            "line 12: an environment file holds one module block, this is a second",
        ),
    ] {
        checkout.write(path, &content);
        checkout.commit();
        assert_eq!(checkout.trespasses(), [format!("{path}: {reason}")]);
        checkout.reset();
    }
}

#[test]
fn only_plain_files_may_stand_there() {
    let checkout = Checkout::new();
    let file = checkout.file.clone();
    let path = checkout.directory.join(&file);

    checkout.git(&["update-index", "--chmod=+x", &file]);
    checkout.git(&["commit", "--quiet", "--message", "x"]);
    assert_eq!(
        checkout.trespasses(),
        [format!("{file}: it is an executable file")]
    );
    checkout.reset();

    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("../main.tf", &path).unwrap();
    checkout.commit();
    assert_eq!(
        checkout.trespasses(),
        [format!("{file}: it is a symbolic link")]
    );
    checkout.reset();

    let head = checkout.git(&["rev-parse", "HEAD"]);
    let entry = format!("160000,{},{file}", head.trim());
    checkout.git(&["update-index", "--cacheinfo", &entry]);
    checkout.git(&["commit", "--quiet", "--message", "x"]);
    assert_eq!(
        checkout.trespasses(),
        [format!("{file}: it is another repository")]
    );
    checkout.reset();

    // A file of another kind moved to where environments are.
    checkout.git(&[
        "mv",
        "hello-service/main.tf",
        "hello-service/environments/x-1-0.tf",
    ]);
    checkout.commit();
    let found = checkout.trespasses();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&"hello-service/main.tf: it is no environment file".to_owned()));
    checkout.reset();

    // What is no environment may not go either, nor become one.
    checkout.write(
        "hello-service/environments/guard.tf",
        "resource \"x\" \"y\" {}\n",
    );
    checkout.commit();
    checkout.git(&["branch", "--force", "base"]);
    std::fs::remove_file(
        checkout
            .directory
            .join("hello-service/environments/guard.tf"),
    )
    .unwrap();
    checkout.commit();
    assert_eq!(
        checkout.trespasses(),
        ["hello-service/environments/guard.tf: it was no environment file before"]
    );
}

#[test]
fn a_change_and_its_revert_are_two_changes() {
    let checkout = Checkout::new();
    checkout.write("policies/trigger.rego", "package evil\n");
    checkout.commit();
    let evil = checkout.git(&["rev-parse", "HEAD"]);
    checkout.git(&["revert", "--no-edit", "HEAD"]);
    let output = checkout.check("base..HEAD").exited(1).json();
    let found = output["trespasses"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["commit"], evil.trim());
    assert_eq!(output["commits"], 2);
    // For people: the commit, the path, the reason.
    let told = checkout.scene.world.dayfly(&[
        "validate",
        "--manager",
        checkout.directory.to_str().unwrap(),
        "--only-environments",
        "base..HEAD",
    ]);
    let expected = format!(
        "error: commit {}: policies/trigger.rego: it is no environment file\n",
        &evil[..8]
    );
    assert_eq!(told.exited(1).stderr, expected);
}

#[test]
fn merges_are_looked_at_against_each_parent() {
    let checkout = Checkout::new();
    let other = "hello-service/environments/acme-hello-service-9-0123abcd.tf";
    let text = checkout.read(&checkout.file);
    let label = checkout
        .file
        .rsplit('/')
        .next()
        .unwrap()
        .trim_end_matches(".tf");
    let id = label.rsplit('-').next().unwrap();
    let text = text
        .replace(label, "acme-hello-service-9-0123abcd")
        .replace(id, "0123abcd")
        .replace("hello-service#1\"", "hello-service#9\"");
    // A branch of environments, begun before people changed a policy.
    checkout.git(&["checkout", "--quiet", "-b", "branch"]);
    checkout.write(other, &text);
    checkout.commit();
    checkout.git(&["checkout", "--quiet", "base"]);
    checkout.write("policies/trigger.rego", "package better\n");
    checkout.commit();
    checkout.git(&["checkout", "--quiet", "branch"]);

    let said = checkout.check("base..branch").exited(2).stderr;
    assert!(said.contains("is no ancestor of HEAD"), "{said}");
    assert_eq!(
        checkout.check("base...branch").succeeded().json()["commits"],
        1
    );

    checkout.git(&["merge", "--quiet", "--no-edit", "base"]);
    assert_eq!(
        checkout.trespasses(),
        [""; 0],
        "what came from base is no news"
    );
    checkout.git(&["reset", "--quiet", "--hard", "HEAD^"]);

    // A merge that silently takes the old policy back.
    checkout.git(&["merge", "--quiet", "--no-edit", "--strategy=ours", "base"]);
    assert_eq!(
        checkout.trespasses(),
        ["policies/trigger.rego: it is no environment file"]
    );
    checkout.git(&["reset", "--quiet", "--hard", "HEAD^"]);

    // One that adds what neither side has.
    checkout.git(&["merge", "--quiet", "--no-commit", "base"]);
    checkout.write("main.tf", "evil");
    checkout.commit();
    assert_eq!(
        checkout.trespasses(),
        ["main.tf: it is no environment file"]
    );
}

#[test]
fn a_range_that_cannot_be_looked_at_is_no_success() {
    let checkout = Checkout::new();
    for (range, told) in [
        ("HEAD", "it is not of the form BASE..HEAD"),
        ("nope..HEAD", "nope is no commit"),
        ("--all..HEAD", "--all looks like an option"),
        ("base..--output=x", "--output=x looks like an option"),
    ] {
        let said = checkout.check(range).exited(2).stderr;
        assert!(said.contains(told), "{range}: {said}");
    }
    let scene = &checkout.scene;
    let url = &scene.manager.url;
    let said = scene
        .world
        .dayfly(&["validate", "--manager", url, "--only-environments", "a..b"])
        .exited(2)
        .stderr;
    assert!(said.contains("is not on this machine"), "{said}");
    let shallow = scene.world.path("shallow");
    clone_shallow(scene, &shallow);
    let said = scene
        .world
        .dayfly(&[
            "validate",
            "--manager",
            shallow.to_str().unwrap(),
            "--only-environments",
            "HEAD..HEAD",
        ])
        .exited(2)
        .stderr;
    assert!(said.contains("it is cut off"), "{said}");
}

fn clone_shallow(scene: &Scene, to: &Path) {
    scene.world.git(
        &scene.world.path(""),
        &[
            "clone",
            "--quiet",
            "--depth=1",
            &scene.manager.url,
            to.to_str().unwrap(),
        ],
    );
}
