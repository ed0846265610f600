//! An `init` is skipped when nothing that it reads has changed, and where another stack's has just read
//! the same; and never else.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

impl Scene {
    /// Runs it in a new workspace, as each run has one, and gives the lines of the log about `init`.
    async fn inits(&self, kind: RunType) -> (RunState, Vec<String>) {
        let _absent = fs::remove_dir_all(self.path("workspace/.terraform"));
        let _absent = fs::remove_file(&self.plan.log);
        if !self.path("workspace/committed").exists() {
            let _absent = fs::remove_file(self.path("workspace/.terraform.lock.hcl"));
        }
        let outcome = self.run(kind).await;
        let log = self.log();
        let lines = log.lines().filter_map(|line| line.strip_prefix("== "));
        let lines = lines.filter(|line| line.contains("init"));
        let word = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        (outcome.state, lines.map(word).collect())
    }
}

const DONE: &str = "init: terraform";
const SKIPPED: &str = "init: skipped:";

async fn is_skipped(scene: &Scene) -> bool {
    let (state, lines) = scene.inits(RunType::Tracked).await;
    assert_eq!(state, RunState::Finished, "{}", scene.log());
    match lines.as_slice() {
        [line] if line == DONE => false,
        [line] if line == SKIPPED => true,
        lines => panic!("{lines:?}"),
    }
}

#[tokio::test]
async fn init_is_skipped_and_its_hooks_run() {
    let mut scene = Scene::page();
    scene.plan.hooks.before_init = vec!["true".to_owned()];
    scene.plan.hooks.after_init = vec!["true".to_owned()];
    let lines = |init: &str| {
        vec![
            "before_init: true".to_owned(),
            init.to_owned(),
            "after_init: true".to_owned(),
        ]
    };
    let (state, first) = scene.inits(RunType::Tracked).await;
    assert_eq!((state, first), (RunState::Finished, lines(DONE)));
    for version in ["v2", "v3"] {
        scene.set("TF_VAR_version_of_code", version);
        let (state, next) = scene.inits(RunType::Tracked).await;
        assert_eq!((state, next), (RunState::Finished, lines(SKIPPED)));
        assert_eq!(scene.read("page"), version);
    }
    let (state, last) = scene.inits(RunType::Destroy).await;
    assert_eq!((state, last), (RunState::Finished, lines(SKIPPED)));
    assert!(!scene.path("page").exists());
}

#[tokio::test]
async fn whatever_init_reads_makes_another_one() {
    let mut scene = Scene::page();
    scene.write(
        "workspace/modules/a/main.tf",
        "output \"x\" { value = 1 }\n",
    );
    let module = scene.read("workspace/main.tf") + "module \"a\" { source = \"./modules/a\" }\n";
    scene.write("workspace/main.tf", &module);
    assert!(!is_skipped(&scene).await);
    assert!(is_skipped(&scene).await);
    scene.write("workspace/README.md", "read by nobody");
    assert!(is_skipped(&scene).await);
    let changes: [(&str, &str); 4] = [
        ("workspace/main.tf", &(module.clone() + "# more\n")),
        (
            "workspace/modules/a/main.tf",
            "output \"x\" { value = 2 }\n",
        ),
        ("workspace/more.tf.json", "{}"),
        ("initialized/hello/digest", "another"),
    ];
    for (path, text) in changes {
        scene.write(path, text);
        assert!(!is_skipped(&scene).await, "{path}");
        assert!(is_skipped(&scene).await, "{path}");
    }
    scene.set("TF_CLI_CONFIG_FILE", "/dev/null");
    assert!(!is_skipped(&scene).await);
    scene.set("TF_CLI_ARGS_init", "-no-color");
    for _ in 0..2 {
        assert!(!is_skipped(&scene).await);
    }
}

#[tokio::test]
async fn modules_from_elsewhere_are_asked_for_again() {
    let scene = Scene::page();
    let elsewhere = scene.path("elsewhere");
    scene.write("elsewhere/main.tf", "output \"x\" { value = 1 }\n");
    let module = format!("module \"a\" {{ source = \"{}\" }}\n", elsewhere.display());
    scene.write(
        "workspace/main.tf",
        &(scene.read("workspace/main.tf") + &module),
    );
    for _ in 0..2 {
        assert!(!is_skipped(&scene).await);
    }
}

#[tokio::test]
async fn what_a_failed_run_has_made_is_not_kept() {
    let scene = Scene::page();
    assert!(!is_skipped(&scene).await);
    let good = scene.read("workspace/main.tf");
    scene.write(
        "workspace/main.tf",
        &(good.clone() + "output \"x\" { value = nothing.at.all }\n"),
    );
    let (state, _) = scene.inits(RunType::Tracked).await;
    assert_eq!(state, RunState::Failed);
    scene.write("workspace/main.tf", &good);
    assert!(!is_skipped(&scene).await);
    // Nor is it used where it is not whole any more.
    fs::create_dir_all(scene.path("initialized/hello/.terraform/providers/h/o/n/1.0.0")).unwrap();
    let provider = scene.path("initialized/hello/.terraform/providers/h/o/n/1.0.0/linux");
    symlink(scene.path("plugins/gone"), provider).unwrap();
    assert!(!is_skipped(&scene).await);
}

#[tokio::test]
async fn nothing_is_kept_where_that_is_not_wanted() {
    let mut scene = Scene::page();
    scene.plan.kept_init = None;
    for _ in 0..2 {
        assert!(!is_skipped(&scene).await);
    }
    assert!(!scene.path("initialized").exists());
}

/// Another stack of the same module, on the same machine and in the same apply.
fn beside(first: &mut Scene) -> Scene {
    let mut other = Scene::page();
    let shared = first.path("initialized/.shared");
    for scene in [&mut *first, &mut other] {
        scene.plan.shared_inits = Some(shared.clone());
    }
    other.plan.plugin_cache = first.plan.plugin_cache.clone();
    other
}

#[tokio::test]
async fn stacks_of_one_module_need_one_init_and_keep_their_states() {
    let mut first = Scene::page();
    let mut others = [beside(&mut first), beside(&mut first)];
    let [second, third] = &mut others;
    let (one, two) = tokio::join!(is_skipped(&first), is_skipped(second));
    assert!(one != two, "one of them initialises");
    assert!(is_skipped(third).await);
    for scene in [&first, second, third] {
        assert_eq!(scene.read("page"), "v1");
        let page = scene.path("page").display().to_string();
        assert!(scene.read("states/hello.tfstate").contains(&page));
    }
    let (state, _) = second.inits(RunType::Destroy).await;
    assert_eq!(state, RunState::Finished);
    assert!(!second.path("page").exists() && first.path("page").exists());
}

#[tokio::test]
async fn what_another_module_or_a_stranger_has_made_is_not_taken() {
    let mut first = Scene::page();
    let other = beside(&mut first);
    let mut stranger = beside(&mut first);
    other.write("workspace/more.tf", "output \"x\" { value = 1 }\n");
    stranger.plan.kept_init = None;
    for scene in [&first, &other, &stranger] {
        assert!(!is_skipped(scene).await);
    }
    // Nor is it where it is not whole any more.
    let shared = first.path("initialized/.shared");
    for made in fs::read_dir(shared).unwrap() {
        let providers = made
            .unwrap()
            .path()
            .join(".terraform/providers/h/o/n/1.0.0");
        fs::create_dir_all(&providers).unwrap();
        symlink(first.path("plugins/gone"), providers.join("linux")).unwrap();
    }
    let late = beside(&mut first);
    assert!(!is_skipped(&late).await);
}
