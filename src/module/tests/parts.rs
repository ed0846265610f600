//! However many threads evaluate environments, the evaluation is the same.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use super::{Repository, environment};
use crate::files::{Directory, Entry, Files, FilesError};
use crate::module::evaluation::{Evaluation, evaluate_with};
use crate::module::force::Effort;
use crate::module::root_values::Given;

/// The evaluation by one thread that takes all environments for dependent on each other, after a look at
/// those by several that take each for itself where that is apart.
pub(super) fn evaluate(files: &dyn Files) -> Evaluation {
    let by = |threads, worth_a_thread| {
        let effort = Effort {
            threads,
            worth_a_thread,
        };
        evaluate_with(effort, files, "", &Given::default(), "manager")
    };
    let evaluation = by(1, usize::MAX);
    for threads in 1..=3 {
        assert_eq!(told(&by(threads, 1)), told(&evaluation), "{threads}");
    }
    evaluation
}

fn told(evaluation: &Evaluation) -> String {
    let standing = evaluation.standing.instances.iter().map(|(address, it)| {
        let standing = (&it.module, it.blocked, &it.calls, &it.resources);
        (address, standing)
    });
    format!(
        "{:#?}",
        (
            &evaluation.resources,
            &evaluation.outputs,
            &evaluation.problems,
            &evaluation.environments,
            standing.collect::<BTreeMap<_, _>>(),
        )
    )
}

/// What one environment says, or a file.
enum Change {
    Of(usize, &'static str),
    File(&'static str, &'static str),
}

const SHARED: &str = "hello/environments/shared.tf";
const MORE: &str = "hello/template/more.tf";

const CHANGES: &[Change] = {
    use Change::{File, Of};
    &[
        // Of the directory: what environments refer to, and what refers to them.
        File(
            SHARED,
            r#"
            resource "spacelift_context" "shared" {
              for_each = toset(["a", "b"])
              name     = each.key
            }
            locals {
              version = spacelift_context.shared["b"].id
            }
            output "version" {
              value = local.version
            }
            "#,
        ),
        File(SHARED, "locals {\n version = module.acme-hello-6.stack\n}"),
        File(SHARED, "output \"all\" {\n value = module.acme-hello-6\n}"),
        File(SHARED, "locals {\n version = nowhere\n}"),
        File(
            SHARED,
            "locals {\n version = local.b\n b = local.version\n}",
        ),
        File(SHARED, "locals {\n version = \"1\"\n}\ncheck \"x\" {}"),
        File(SHARED, "locals {\n version = "),
        // Of what they call.
        File(MORE, "locals {\n a = local.b\n b = local.a\n}"),
        File(MORE, "output \"version\" {\n value = nowhere\n}"),
        File(
            MORE,
            "locals {\n a = fileset(\"hello/environments\", \"*\")\n}",
        ),
        File(
            MORE,
            "resource \"spacelift_context\" \"one\" {\n name = \"x\"\n}",
        ),
        File(MORE, "resource \"spacelift_aws_role\" \"old\" {}"),
        File(
            MORE,
            r#"
            moved {
              from = spacelift_context.a
              to   = spacelift_context.b
            }
            resource "spacelift_context" "b" {
              count = var.code_version == "2" ? 2 : 1
              name  = "${var.environment} ${count.index}"
              lifecycle {
                precondition {
                  condition     = var.code_version != "3"
                  error_message = "no third"
                }
              }
            }
            "#,
        ),
        File(MORE, "override {"),
        File("hello/template/override.tf", ""),
        // Of what is around them.
        File(
            "hello/more.tf",
            "output \"all\" {\n value = module.instances\n}",
        ),
        File(
            "hello/more.tf",
            r#"
            resource "spacelift_context" "late" {
              name       = "late"
              depends_on = [module.instances]
            }
            "#,
        ),
        File(
            "hello/more.tf",
            "resource \"spacelift_stack\" \"x\" {\n name = \"Hello (4)\"\n branch = \"main\"\n repository = \"x\"\n}",
        ),
        File("more.tf", "output \"x\" {\n value = nowhere\n}"),
        // Of single environments.
        Of(1, "code_version = local.version"),
        Of(4, "code_version = local.version"),
        Of(4, "code_version = \"2\""),
        Of(4, "code_version = \"3\""),
        Of(7, "code_version = 1 / 0"),
        Of(4, "code_version = [1]"),
        Of(4, "code_version = module.acme-hello-6.stack"),
        Of(6, "code_version = module.acme-hello-4.stack"),
        Of(4, "code_version = module.acme-hello-1.nothing"),
        Of(
            4,
            "code_version = file(\"hello/environments/acme-hello-1.tf\")",
        ),
        Of(4, "code_version = file(\"nothing\")"),
        Of(5, "count = 2"),
        Of(4, "for_each = toset([\"a\", \"b\"])"),
        Of(4, "unknown = 1"),
        Of(4, "depends_on = [module.acme-hello-1]"),
        Of(4, "depends_on = [spacelift_context.shared]"),
        Of(4, "depends_on = [module.nothing]"),
        Of(4, "fork = true"),
        Of(4, "}"),
    ]
};

impl Change {
    fn make(&self, repository: &Repository) {
        match self {
            Self::File(path, text) => drop(repository.write(path, text)),
            Self::Of(id, argument) => {
                let path = format!("hello/environments/acme-hello-{id}.tf");
                let argument = format!("  {argument}\n  policies");
                repository.replace(&path, "  policies", &argument);
            }
        }
    }
}

fn seven() -> Repository {
    let repository = Repository::new();
    repository.remove("hello/environments/acme-hello-aaaa1111.tf");
    repository.remove("hello/environments/acme-hello-bbbb2222.tf");
    let output = "output \"stack\" {\n value = spacelift_stack.this.id\n}";
    repository.write("hello/template/outputs.tf", output);
    for id in 1..=7 {
        let path = format!("hello/environments/acme-hello-{id}.tf");
        repository.write(&path, &environment(&id.to_string()));
    }
    repository
}

#[test]
fn threads_make_no_difference() {
    let (mut whole, mut broken) = (0, 0);
    for (index, first) in CHANGES.iter().enumerate() {
        // Alone, and with one of another kind.
        for second in [None, CHANGES.get((index + 14) % CHANGES.len())] {
            let repository = seven();
            first.make(&repository);
            second.inspect(|it| it.make(&repository));
            match repository.evaluate().problems.is_empty() {
                true => whole += 1,
                false => broken += 1,
            }
        }
    }
    assert!(whole > 10 && broken > 40, "{whole} whole, {broken} broken");
}

#[test]
fn one_id_of_two_environments_is_found_however_many_threads_there_are() {
    let repository = seven();
    let file = "hello/environments/acme-hello-6.tf";
    repository.replace(file, "= \"6\"", "= \"2\"");
    let evaluation = repository.evaluate();
    let addresses: Vec<&str> = evaluation
        .resources
        .iter()
        .map(|it| it.address.as_str())
        .collect();
    assert_eq!(evaluation.problems.len(), 4);
    assert_eq!(addresses.len(), 4 + 5 * 4, "{addresses:#?}");
}

/// Files that tell which threads read the one that each environment reads.
struct Watched {
    files: Directory,
    readers: Mutex<Vec<ThreadId>>,
    /// Each but the first reader waits until they are so many threads.
    expected: usize,
    came: Condvar,
}

impl Watched {
    fn threads(readers: &[ThreadId]) -> usize {
        readers.iter().collect::<HashSet<_>>().len()
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const NOTE: &str = "hello/template/note.txt";

impl Files for Watched {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, FilesError> {
        if path == NOTE {
            let mut readers = self.readers.lock().unwrap();
            readers.push(thread::current().id());
            self.came.notify_all();
            let are_missing =
                |all: &mut Vec<_>| all.len() > 1 && Self::threads(all) < self.expected;
            let waited = self.came.wait_timeout_while(readers, PATIENCE, are_missing);
            drop(waited.unwrap());
        }
        self.files.read(path)
    }

    fn list(&self, directory: &str) -> Result<Vec<Entry>, FilesError> {
        self.files.list(directory)
    }
}

/// How many of three threads evaluate environments, of which so many are expected to.
fn threads_at_work(repository: &Repository, expected: usize) -> usize {
    let files = Watched {
        files: Directory::new(repository.0.path()),
        readers: Mutex::default(),
        expected,
        came: Condvar::new(),
    };
    let effort = Effort {
        threads: 3,
        worth_a_thread: 1,
    };
    evaluate_with(effort, &files, "", &Given::default(), "manager");
    Watched::threads(&files.readers.into_inner().unwrap())
}

#[test]
fn threads_take_environments_that_stand_apart_and_no_others() {
    let repository = seven();
    repository.write(NOTE, "");
    repository.write(MORE, &format!("locals {{\n note = file(\"{NOTE}\")\n}}"));
    assert_eq!(threads_at_work(&repository, 3), 3);
    let argument = "  code_version = module.acme-hello-2.stack\n  policies";
    repository.replace("hello/environments/acme-hello-6.tf", "  policies", argument);
    assert_eq!(threads_at_work(&repository, 1), 1);
}
