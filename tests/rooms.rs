//! The rooms of the house: imports run down the list in `src/lib.rs`, and an outside library is
//! used in its own room only.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Libraries that have rooms of their own; all others may be used anywhere.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("git2", &["git"]),
    ("ureq", &["git"]),
    ("hcl_edit", &["config", "environment", "generate", "module"]),
    ("hyper_rustls", &["artifact"]),
    ("hyper_util", &["artifact"]),
    ("indicatif", &["cli"]),
    ("octocrab", &["github"]),
    ("ring", &["github"]),
    ("regorus", &["policy"]),
    ("rusqlite", &["store"]),
    ("tera", &["generate"]),
    ("url", &["artifact"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("anstream", &["cli"]),
    ("owo_colors", &["cli"]),
    ("terminal_size", &["cli"]),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The files of `src/` with their rooms: `src/git/tree.rs` is in `git`.
fn rooms() -> Result<Vec<(String, PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files)?;
    files
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&root)?.to_owned();
            let first = inside.components().next().context("a path has a name")?;
            let room = first
                .as_os_str()
                .to_string_lossy()
                .trim_end_matches(".rs")
                .to_owned();
            Ok((room, inside, fs::read_to_string(&path)?))
        })
        .collect()
}

/// The names that stand behind `prefix` in the code: `crate::git::Edit` gives `git`.
fn named<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(move |line| line.split(prefix).skip(1))
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
        .filter(|name| !name.is_empty())
}

/// Whether a line names the library, and not only a word that ends as it does.
fn uses(line: &str, library: &str) -> bool {
    line.match_indices(&format!("{library}::"))
        .any(|(place, _)| {
            !line[..place].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
        })
}

#[test]
fn imports_run_one_way() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let order: Vec<String> = fs::read_to_string(root)?
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix("pub ").unwrap_or(line);
            line.strip_prefix("mod ")?
                .strip_suffix(';')
                .map(str::to_owned)
        })
        .collect();
    ensure!(order.len() > 10, "lib.rs lists the rooms");
    let place = |room: &str| order.iter().position(|other| other == room);
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for (room, path, text) in rooms()? {
        let Some(here) = place(&room) else { continue };
        for other in named(&text, "crate::") {
            let Some(there) = place(other) else { continue };
            arrows += 1;
            if there > here {
                wrong.push(format!("{}: {room} uses {other}", path.display()));
            }
        }
    }
    ensure!(arrows > 100, "only {arrows} imports were found");
    ensure!(
        wrong.is_empty(),
        "arrows that run back:\n{}",
        wrong.join("\n")
    );
    Ok(())
}

#[test]
fn libraries_stay_in_their_rooms() -> Result<()> {
    let mut wrong = Vec::new();
    for (room, path, text) in rooms()? {
        for (library, allowed) in LIBRARIES {
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let used = code.into_iter().any(|line| uses(line, library));
            if used && !allowed.contains(&room.as_str()) {
                wrong.push(format!(
                    "{}: {library} belongs to {allowed:?}",
                    path.display()
                ));
            }
        }
    }
    ensure!(
        wrong.is_empty(),
        "libraries outside of their rooms:\n{}",
        wrong.join("\n")
    );
    Ok(())
}
