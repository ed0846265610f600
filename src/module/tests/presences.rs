//! A repository in the generated layout, broken in each of several ways.

use super::{A, Repository, environment, errors, find};
use crate::module::Presence;

/// What is done to the repository, what becomes of the first environment, of the second, of the
/// service's policy and of the root's, and a part of an error.
type Breakage = (&'static str, fn(&Repository), [Presence; 4], &'static str);

const BREAKAGES: &[Breakage] = {
    use Presence::{Gone, Present, Unreadable};
    const FILE: &str = "hello/environments/acme-hello-aaaa1111.tf";
    &[
        ("nothing", |_| {}, [Present, Present, Present, Present], ""),
        (
            "its file is gone",
            |it| {
                it.remove(FILE);
            },
            [Gone, Present, Present, Present],
            "",
        ),
        (
            "its block is gone",
            |it| {
                it.write(FILE, "# nothing\n");
            },
            [Gone, Present, Present, Present],
            "",
        ),
        (
            "its file does not parse",
            |it| {
                it.replace(FILE, "=", "");
            },
            [Unreadable, Present, Present, Present],
            "syntax error",
        ),
        (
            "its file is not text",
            |it| {
                it.write(FILE, "\0\u{1}module");
            },
            [Unreadable, Present, Present, Present],
            "syntax error",
        ),
        (
            "its file is empty of sense",
            |it| {
                it.write(FILE, "<<<<<<< HEAD\n");
            },
            [Unreadable, Present, Present, Present],
            "syntax error",
        ),
        (
            "its block moved to a file that does not parse",
            |it| {
                it.remove(FILE).write(
                    "hello/environments/other.tf",
                    &format!("{} {{", environment("aaaa1111")),
                );
            },
            [Unreadable, Present, Present, Present],
            "syntax error",
        ),
        (
            "its file is gone and another does not parse",
            |it| {
                it.remove(FILE)
                    .write("hello/environments/other.tf", "module \"x\" {");
            },
            [Gone, Present, Present, Present],
            "syntax error",
        ),
        (
            "an argument fails",
            |it| {
                it.replace(FILE, "\"aaaa1111\"\n", "upper([])\n");
            },
            [Unreadable, Present, Present, Present],
            "upper",
        ),
        (
            "an argument is missing",
            |it| {
                it.replace(FILE, "environment =", "#");
            },
            [Unreadable, Present, Present, Present],
            "lacks the argument environment",
        ),
        (
            "an argument is unknown",
            |it| {
                it.replace(FILE, "environment =", "nvironment =");
            },
            [Unreadable, Present, Present, Present],
            "no variable nvironment",
        ),
        (
            "it stands twice",
            |it| {
                it.write("hello/environments/copy.tf", &environment("aaaa1111"));
            },
            [Unreadable, Present, Present, Present],
            "duplicate module call",
        ),
        (
            "its stack has the id of another's",
            |it| {
                it.replace(FILE, "\"aaaa1111\"\n", "\"bbbb2222\"\n");
            },
            [Unreadable, Unreadable, Present, Present],
            "have the id \"hello-bbbb2222\"",
        ),
        (
            "its source leaves the repository",
            |it| {
                it.replace(FILE, "../template", "../../../x");
            },
            [Unreadable, Present, Present, Present],
            "leads out",
        ),
        (
            "its source is not there",
            |it| {
                it.replace(FILE, "../template", "../none");
            },
            [Unreadable, Present, Present, Present],
            "no such directory",
        ),
        (
            "the template does not parse",
            |it| {
                it.replace("hello/template/main.tf", "{", "");
            },
            [Unreadable, Unreadable, Present, Present],
            "syntax error",
        ),
        (
            "a part of the template does not parse",
            |it| {
                it.write("hello/template/more.tf", "x {");
            },
            [Unreadable, Unreadable, Present, Present],
            "syntax error",
        ),
        (
            "the template does not parse and its file is gone",
            |it| {
                it.write("hello/template/more.tf", "x {").remove(FILE);
            },
            [Gone, Unreadable, Present, Present],
            "syntax error",
        ),
        (
            "the template is gone",
            |it| {
                it.remove("hello/template");
            },
            [Unreadable, Unreadable, Present, Present],
            "no such directory",
        ),
        (
            "the template errs",
            |it| {
                it.replace("hello/template/main.tf", "autodeploy ", "autodeply ");
            },
            [Unreadable, Unreadable, Present, Present],
            "no attribute autodeply",
        ),
        (
            "the template errs for one",
            |it| {
                it.replace(
                    "hello/template/main.tf",
                    "autodeploy   = true",
                    "autodeploy = var.environment == \"aaaa1111\" ? tobool(\"x\") : true",
                );
            },
            [Unreadable, Present, Present, Present],
            "tobool",
        ),
        (
            "the template has a moved block",
            |it| {
                it.write(
                    "hello/template/moved.tf",
                    "moved {\n  from = a.b\n  to = c.d\n}\n",
                );
            },
            [Unreadable, Unreadable, Present, Present],
            "cannot be moved to another type",
        ),
        (
            "a foreign resource in the template",
            |it| {
                it.write(
                    "hello/template/dns.tf",
                    "resource \"aws_route53_record\" \"x\" {}\n",
                );
            },
            [Unreadable, Unreadable, Present, Present],
            "aws_route53_record is not supported",
        ),
        (
            "a foreign resource beside it",
            |it| {
                it.write("hello/dns.tf", "resource \"aws_route53_record\" \"x\" {}\n");
            },
            [Present, Present, Present, Present],
            "aws_route53_record is not supported",
        ),
        (
            "the shared variables do not parse",
            |it| {
                it.write("hello/environments/variables.tf", "variable {");
            },
            [Unreadable, Unreadable, Present, Present],
            "syntax error",
        ),
        (
            "the policy that it needs fails",
            |it| {
                it.replace("hello/main.tf", "\"hello push\"", "null");
            },
            [Unreadable, Unreadable, Unreadable, Present],
            "needs the attribute name",
        ),
        (
            "the service does not parse",
            |it| {
                it.replace("hello/main.tf", "{", "");
            },
            [Unreadable, Unreadable, Unreadable, Present],
            "syntax error",
        ),
        (
            "the call of the service is gone",
            |it| {
                it.replace(
                    "main.tf",
                    "module \"hello\" {\n  source = \"./hello\"\n}",
                    "",
                );
            },
            [Gone, Gone, Gone, Present],
            "",
        ),
        (
            "the root does not parse",
            |it| {
                it.replace("main.tf", "{", "");
            },
            [Unreadable, Unreadable, Unreadable, Unreadable],
            "syntax error",
        ),
        (
            "the root is gone",
            |it| {
                it.remove("main.tf");
            },
            [Unreadable, Unreadable, Unreadable, Unreadable],
            "cannot read the root module",
        ),
        (
            "an override",
            |it| {
                it.write("hello/x_override.tf", "");
            },
            [Unreadable, Unreadable, Unreadable, Present],
            "override files",
        ),
        (
            "a file in JSON that is no JSON",
            |it| {
                it.write("hello/environments/x.tf.json", "{");
            },
            [Present, Present, Present, Present],
            "x.tf.json:1:1: syntax error",
        ),
        (
            "a policy's file is gone",
            |it| {
                it.remove("policies/trigger.rego");
            },
            [Present, Present, Present, Unreadable],
            "no file",
        ),
        (
            "a circle",
            |it| {
                it.write(
                    "hello/circle.tf",
                    "locals {\n  a = local.b\n  b = local.a\n}\n",
                );
            },
            [Present, Present, Present, Present],
            "circle",
        ),
        (
            "the count of the call",
            |it| {
                it.replace("hello/main.tf", "source   =", "count = -1\n  source =");
            },
            [Unreadable, Unreadable, Present, Present],
            "count must be",
        ),
        (
            "no more of it",
            |it| {
                it.replace("hello/main.tf", "source   =", "count = 0\n  source =");
            },
            [Gone, Gone, Present, Present],
            "",
        ),
    ]
};

#[test]
fn what_is_broken_is_never_taken_for_absent() {
    let recorded = Repository::new().evaluate();
    let stack = |id: &str| {
        format!("module.hello.module.instances.module.acme-hello-{id}.spacelift_stack.this")
    };
    let addresses = [
        stack("aaaa1111"),
        stack("bbbb2222"),
        "module.hello.spacelift_policy.push".to_owned(),
        "spacelift_policy.trigger".to_owned(),
    ];
    for (what, change, wanted, message) in BREAKAGES {
        let repository = Repository::new();
        change(&repository);
        let evaluation = repository.evaluate();
        let presence =
            |address: &String| evaluation.presence(address, &find(&recorded, address).origin);
        let found = addresses.each_ref().map(presence);
        assert_eq!(&found, wanted, "{what}: {:#?}", evaluation.problems);
        let errors = errors(&evaluation);
        match *message {
            "" => assert_eq!(errors, [""; 0], "{what}"),
            part => assert!(
                errors.iter().any(|error| error.contains(part)),
                "{what}: {errors:?}"
            ),
        }
        // An environment stands whole or not at all.
        for (id, presence) in ["aaaa1111", "bbbb2222"].iter().zip(found) {
            let prefix = format!("acme-hello-{id}.");
            let count = evaluation
                .resources
                .iter()
                .filter(|it| it.address.contains(&prefix))
                .count();
            assert_eq!(
                count,
                if presence == Presence::Present { 4 } else { 0 },
                "{what}: {id}"
            );
        }
    }
}

#[test]
fn a_resource_taken_out_of_the_template_is_gone() {
    let recorded = Repository::new().evaluate();
    let address = format!("{A}.spacelift_policy_attachment.push[\"push\"]");
    let origin = &find(&recorded, &address).origin;
    let repository = Repository::new();
    repository.replace(
        "hello/template/main.tf",
        "for_each  = var.policies",
        "for_each = {}",
    );
    assert_eq!(
        repository.evaluate().presence(&address, origin),
        Presence::Gone
    );
    repository.replace("hello/template/main.tf", "for_each = {}", "for_each = null");
    assert_eq!(
        repository.evaluate().presence(&address, origin),
        Presence::Unreadable
    );
    let repository = Repository::new();
    repository.replace("hello/template/main.tf", "\"push\" {", "\"other\" {");
    assert_eq!(
        repository.evaluate().presence(&address, origin),
        Presence::Gone
    );
    repository.write("hello/moved.tf", "moved {}\n");
    assert_eq!(
        repository.evaluate().presence(&address, origin),
        Presence::Gone
    );
    let policy = "module.hello.spacelift_policy.push";
    let origin = &find(&recorded, policy).origin;
    repository.replace(
        "hello/main.tf",
        "\"spacelift_policy\" \"push\"",
        "\"spacelift_policy\" \"pushed\"",
    );
    repository.replace(
        "hello/main.tf",
        "spacelift_policy.push.id",
        "spacelift_policy.pushed.id",
    );
    assert_eq!(
        repository.evaluate().presence(policy, origin),
        Presence::Gone
    );
    repository.write(
        "hello/moved.tf",
        "import {\n  to = spacelift_policy.push\n  id = \"push\"\n}\n",
    );
    assert_eq!(
        repository.evaluate().presence(policy, origin),
        Presence::Unreadable
    );
}
