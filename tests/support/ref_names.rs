//! Branch names by Git's own rules, with more than chance would give of what means something to HCL,
//! Terraform, shells and paths.

use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Names that Git takes, and that no other run makes otherwise; the first hold the longest
/// component that a file system takes.
pub(crate) fn ref_names(count: usize) -> Vec<String> {
    let pieces = prop_oneof![
        Just("${"),
        Just("%{"),
        Just("$${"),
        Just("}"),
        Just("\""),
        Just("'"),
        Just("`"),
        Just("$(id)"),
        Just("`id`"),
        Just(";"),
        Just("|"),
        Just("&&"),
        Just("#"),
        Just("//"),
        Just("<<EOT"),
        Just("{{"),
        Just("{%"),
        Just("-"),
        Just("@"),
        Just("="),
        Just("::"),
        Just("##["),
        Just("\u{202e}"),
        Just("\u{feff}"),
        Just("日本"),
        Just("\u{1f98b}"),
        Just("file(\"/etc/passwd\")"),
        Just("/"),
        Just("a"),
    ];
    let piece = prop_oneof![
        3 => pieces.prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    let name = prop::collection::vec(piece, 1..10).prop_map(|parts| parts.concat());
    let mut runner = TestRunner::deterministic();
    let mut names = vec![
        "a".repeat(255),
        "ü".repeat(127),
        "${".repeat(127),
        ["\"${`$(x)'"; 28].concat(),
    ];
    while names.len() < count {
        let made = name.new_tree(&mut runner).unwrap().current();
        if is_branch(&made) && !names.contains(&made) {
            names.push(made);
        }
    }
    names
}

/// Whether Git takes it. `Branch` must say the same.
#[track_caller]
#[allow(clippy::disallowed_methods, reason = "git is asked what it takes")]
fn is_branch(name: &str) -> bool {
    // No argument holds this letter.
    let of_git = !name.contains('\0') && {
        let check = ["check-ref-format", "--branch", name];
        let output = Command::new("git").args(check).output().unwrap();
        // `@{-1}` is read as another name.
        output.status.success() && output.stdout.strip_suffix(b"\n") == Some(name.as_bytes())
    };
    assert_eq!(
        name.parse::<dayfly::event::Branch>().is_ok(),
        of_git,
        "{name:?}"
    );
    of_git
}
