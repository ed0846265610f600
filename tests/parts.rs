//! A plan of what a commit touches is the plan of all: both are held against each other over random
//! edits of a manager repository, with a real store beside each.

#![allow(clippy::unwrap_used, reason = "a test says where it stopped")]

use std::collections::{BTreeMap, BTreeSet};

use dayfly::clock::Time;
use dayfly::git::{CommitId, Committer, Edit, Remote, Repository, Signature};
use dayfly::manager::Manager;
use dayfly::reconcile::{Planned, plan};
use dayfly::stack::{ChangeAction, Object, StackId};
use dayfly::store::{ManagerRun, Store};
use proptest::prelude::*;
use proptest::sample::select;

const SETTINGS: &str = "stack_manager = \"dayfly\"\nrepository = \"acme/previews\"\n";
const ROOT: &str = r#"
terraform {
  required_providers {
    spacelift = { source = "spacelift-io/spacelift" }
  }
}
module "hello" { source = "./hello" }
"#;
const SERVICE: &str = r#"
resource "spacelift_policy" "push" {
  name = "push"
  type = "GIT_PUSH"
  body = "package spacelift"
}
resource "spacelift_stack" "common" {
  name       = "common"
  repository = "infra"
  branch     = "main"
}
module "environments" {
  source = "./environments"
  policy = spacelift_policy.push.id
}
"#;
const SHARED: &str = "variable \"policy\" { type = string }\n";
const TEMPLATE: &str = r#"
variable "slug" { type = string }
variable "value" {
  type    = string
  default = "1"
}
variable "policy" { type = string }
variable "protect" {
  type    = bool
  default = false
}
variable "other" {
  type    = string
  default = null
}
resource "spacelift_stack" "this" {
  name                  = var.slug
  slug                  = var.slug
  repository            = "infra"
  branch                = "main"
  protect_from_deletion = var.protect
}
resource "spacelift_environment_variable" "value" {
  stack_id   = spacelift_stack.this.id
  name       = "TF_VAR_value"
  value      = var.value
  write_only = false
}
resource "spacelift_policy_attachment" "push" {
  count     = var.other == null ? 1 : 0
  policy_id = var.policy
  stack_id  = spacelift_stack.this.id
}
resource "spacelift_environment_variable" "other" {
  count      = var.other == null ? 0 : 1
  stack_id   = var.other
  name       = "TF_VAR_from_${var.slug}"
  value      = "x"
  write_only = false
}
output "slug" { value = spacelift_stack.this.slug }
"#;

fn call(name: &str, arguments: &str) -> String {
    format!(
        "module \"{name}\" {{\n  source = \"../template\"\n  policy = var.policy\n{arguments}\n}}\n"
    )
}

/// Nine in ten edits are those of a writer; the rest is what people do.
fn edit() -> impl Strategy<Value = (String, Option<String>)> {
    let letter = || select(vec!["a", "b", "c", "d", "e", "f"]);
    let environment = |file: &str| format!("hello/environments/{file}.tf");
    let plain = (letter(), 1..4u8).prop_map(move |(file, value)| {
        let arguments = format!("  slug = \"s-{file}\"\n  value = \"{value}\"");
        (environment(file), Some(call(file, &arguments)))
    });
    let removed = letter().prop_map(move |file| (environment(file), None));
    let broken = (
        letter(),
        select(vec!["module {", "", "module \"x\" {}", "# nothing\n"]),
    )
        .prop_map(move |(file, text)| (environment(file), Some(text.to_owned())));
    let odd = (letter(), letter(), 0..12u8).prop_map(move |(file, other, kind)| {
        let slug = format!("  slug = \"s-{file}\"");
        let text = match kind {
            0 => call(other, &slug),
            1 => call(file, &format!("  slug = \"s-{other}\"")),
            2 => call(file, &format!("{slug}\n  other = \"s-{other}\"")),
            3 => call(file, &format!("{slug}\n  value = module.{other}.slug")),
            4 => call(file, &format!("{slug}\n  protect = true")),
            5 => call(file, &slug) + &format!("locals {{ of_{file} = \"1\" }}\n"),
            6 => call(file, &format!("{slug}\n  value = local.of_{other}")),
            7 => call(file, &format!("{slug}\n  count = 2")),
            8 => call(file, &format!("{slug}\n  depends_on = [module.{other}]")),
            9 => call(file, &slug) + &call(&format!("{file}{other}"), "  slug = \"s-more\""),
            10 => call(file, &format!("{slug}\n  value = fileexists(\"hello/environments/{other}.tf\") ? \"1\" : \"2\"")),
            _ => format!("output \"o_{file}\" {{ value = try(module.{other}.slug, \"none\") }}\n"),
        };
        (environment(file), Some(text))
    });
    let elsewhere = (0..9u8).prop_map(|kind| {
        let template = |text: String| ("hello/template/main.tf".to_owned(), Some(text));
        let service = |text: String| ("hello/main.tf".to_owned(), Some(text));
        match kind {
            0 => template(TEMPLATE.replace("\"main\"", "\"other\"")),
            1 | 2 => template(TEMPLATE.to_owned()),
            3 => template("resource {".to_owned()),
            4 => service(SERVICE.replace("\"push\"\n  type", "\"pull\"\n  type")),
            5 => service(SERVICE.to_owned()),
            6 => (
                "hello/environments/variables.tf".to_owned(),
                Some(SHARED.to_owned() + "variable \"more\" { default = 1 }\n"),
            ),
            7 => (
                "hello/environments/variables.tf".to_owned(),
                Some(SHARED.to_owned()),
            ),
            _ => ("README.md".to_owned(), Some("x".to_owned())),
        }
    });
    prop_oneof![12 => plain, 5 => removed, 1 => broken, 2 => odd, 1 => elsewhere]
}

struct World {
    directory: tempfile::TempDir,
    repository: Repository,
    tip: Option<CommitId>,
    parts: usize,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::open_or_create(directory.path().join("m.git")).unwrap();
        for store in ["part", "whole"] {
            std::fs::create_dir(directory.path().join(store)).unwrap();
        }
        Self {
            directory,
            repository,
            tip: None,
            parts: 0,
        }
    }

    fn store(&self, name: &str) -> Store {
        Store::open(&self.directory.path().join(name)).unwrap()
    }

    fn commit(&mut self, files: &[(String, Option<String>)]) {
        // Of two edits of one file the last counts.
        let files: BTreeMap<_, _> = files.iter().cloned().collect();
        let edits: Vec<Edit> = files
            .into_iter()
            .map(|(path, text)| match text {
                Some(text) => Edit::Write {
                    path,
                    bytes: text.into(),
                },
                None => Edit::Remove { path },
            })
            .collect();
        let committed = self
            .repository
            .commit_edits(
                self.tip.as_ref(),
                &edits,
                "x",
                &Signature::default(),
                &Committer::default(),
                time(),
            )
            .unwrap();
        if let Some(tip) = committed {
            self.repository.set_branch("main", &tip).unwrap();
            self.tip = Some(tip);
        }
    }

    /// Plans and records the tip with both stores.
    fn pass(&mut self, finish: bool) {
        let cache = Repository::open_or_create(self.directory.path().join("cache.git")).unwrap();
        let path = self.directory.path().join("m.git");
        let manager = Manager {
            remote: Remote::new(path.to_str().unwrap(), None),
            branch: None,
            variables: Default::default(),
        };
        let (mut part, mut whole) = (self.store("part"), self.store("whole"));
        let of_part = plan(&manager, &cache, Some(&part)).unwrap();
        let of_all = plan(&manager, &cache, Some(&whole)).unwrap();
        assert!(!of_all.is_part);
        self.parts += usize::from(of_part.is_part);
        assert_eq!(of_part.comparison.changes, of_all.comparison.changes);
        assert_eq!(of_part.comparison.kept, of_all.comparison.kept);
        assert_eq!(of_part.comparison.waiting, of_all.comparison.waiting);
        if of_all.deletions.deleted > 0 {
            assert_eq!(of_part.deletions, of_all.deletions);
        }
        let said = |planned: &Planned| -> Vec<String> {
            planned
                .problems()
                .map(|problem| format!("{problem:?}"))
                .collect()
        };
        assert_eq!(said(&of_part), said(&of_all));
        let deleting = record(&mut part, &of_part, true);
        record(&mut whole, &of_all, false);
        if finish {
            for stack in deleting {
                part.remove_stack(&StackId::new(&*stack)).unwrap();
                whole.remove_stack(&StackId::new(stack)).unwrap();
            }
        }
        let objects = |store: &Store| -> Vec<Object> { store.objects().unwrap() };
        assert_eq!(objects(&part), objects(&whole));
    }
}

/// Records the changes; stacks that go are on their way out then.
fn record(store: &mut Store, planned: &Planned, with_evaluation: bool) -> BTreeSet<String> {
    let deleted = planned.comparison.changes.iter();
    let deleted = deleted.filter(|change| change.action == ChangeAction::Deleted);
    let deleted: Vec<&Object> = deleted.map(|change| &change.object).collect();
    let stacks = deleted.iter().filter(|object| object.is_stack());
    let stacks: BTreeSet<String> = stacks.map(|stack| stack.id().to_owned()).collect();
    let leaving = deleted
        .iter()
        .filter(|object| stacks.contains(object.stack_id()));
    let manager_run = ManagerRun {
        commit: planned.commit.clone().unwrap(),
        changes: planned.comparison.changes.clone(),
        deleting: leaving.map(|object| object.address.clone()).collect(),
        judged: true,
        evaluated: planned.evaluated.clone().filter(|_| with_evaluation),
        ..ManagerRun::default()
    };
    store.record(&manager_run, time()).unwrap();
    stacks
}

fn time() -> Time {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

fn begin() -> World {
    let mut world = World::new();
    let file = |path: &str, text: &str| (path.to_owned(), Some(text.to_owned()));
    let mut files = vec![
        file("dayfly.hcl", SETTINGS),
        file("main.tf", ROOT),
        file("hello/main.tf", SERVICE),
        file("hello/environments/variables.tf", SHARED),
        file("hello/template/main.tf", TEMPLATE),
    ];
    for name in ["a", "b", "c"] {
        let path = format!("hello/environments/{name}.tf");
        files.push((path, Some(call(name, &format!("  slug = \"s-{name}\"")))));
    }
    world.commit(&files);
    world.pass(true);
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_part_is_planned_as_the_whole(
        commits in prop::collection::vec((prop::collection::vec(edit(), 1..3), any::<bool>()), 12)
    ) {
        let mut world = begin();
        for (files, finish) in commits {
            world.commit(&files);
            world.pass(finish);
        }
    }
}

#[test]
fn what_a_writer_does_is_planned_as_a_part() {
    let mut world = begin();
    assert_eq!(world.parts, 0);
    let path = |name: &str| format!("hello/environments/{name}.tf");
    let changed = call("a", "  slug = \"s-a\"\n  value = \"2\"");
    let added = call("d", "  slug = \"s-d\"");
    for files in [
        vec![(path("a"), Some(changed))],
        vec![(path("d"), Some(added))],
        vec![(path("b"), None)],
        vec![(path("c"), Some("module {".to_owned()))],
        vec![(path("d"), None)],
        vec![(path("c"), None)],
    ] {
        world.commit(&files);
        world.pass(true);
    }
    assert_eq!(world.parts, 6);
    world.commit(&[(
        "hello/template/main.tf".to_owned(),
        Some(TEMPLATE.replace("\"1\"", "\"3\"")),
    )]);
    world.pass(true);
    assert_eq!(world.parts, 6);
}

#[test]
fn a_call_doubled_in_a_shared_file_is_planned_as_the_whole() {
    let mut world = begin();
    let path = |name: &str| format!("hello/environments/{name}.tf");
    let with_locals = call("a", "  slug = \"s-a\"") + "locals { shared = \"1\" }\n";
    world.commit(&[(path("a"), Some(with_locals))]);
    world.pass(true);
    world.commit(&[(path("b"), Some(call("a", "  slug = \"s-b\"")))]);
    world.pass(true);
}
