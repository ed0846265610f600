//! Each file of a standing manager repository is broken in turn, in each of several ways: nothing is
//! deleted for what could not be read (invariants 5 and 9).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{PullRequest, Scene};

/// What becomes of a file with this content.
type Way = (&'static str, fn(&Path, &[u8]));

const WAYS: [Way; 10] = [
    ("empty", |path, _| fs::write(path, "").unwrap()),
    ("blank", |path, _| fs::write(path, " \n\n").unwrap()),
    // Within a block: what is cut between two is a file without the second.
    ("cut off", |path, text| {
        let end = text.iter().rposition(|letter| *letter == b'=');
        fs::write(path, &text[..end.map_or(text.len() / 2, |end| end + 1)]).unwrap();
    }),
    ("without its last letters", |path, text| {
        fs::write(path, &text[..text.len().saturating_sub(3)]).unwrap();
    }),
    ("no syntax", |path, _| {
        fs::write(path, "module {{ = \n").unwrap()
    }),
    ("a conflict", |path, text| {
        let text = [b"<<<<<<< HEAD\n", text, b"=======\n>>>>>>> other\n"].concat();
        fs::write(path, text).unwrap();
    }),
    ("not UTF-8", |path, text| {
        fs::write(path, [text, b"\n# \xff\xfe\n"].concat()).unwrap();
    }),
    ("of another type", |path, text| {
        let text = String::from_utf8(text.to_vec()).unwrap();
        fs::write(path, text.replace("= \"", "= [1, 2] == \"")).unwrap();
    }),
    ("with names that nobody knows", |path, text| {
        let text = String::from_utf8(text.to_vec()).unwrap();
        fs::write(path, text.replace(" = ", "_of_nobody = ")).unwrap();
    }),
    ("a link", |path, _| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/nowhere", path).unwrap();
    }),
];

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files_below(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn nothing_is_deleted_for_what_could_not_be_read() {
    let scene = Scene::new();
    scene.event("opened", &PullRequest::service());
    let other = PullRequest::new("acme/hello-service", 11, &"c".repeat(40), "other");
    scene.event("opened", &other);
    scene.apply().succeeded();
    let root = scene.world.clone_of(&scene.manager, "clone");
    // A plain directory, compared with what is recorded.
    fs::remove_dir_all(root.join(".git")).unwrap();
    let plan = || -> Value {
        let words = [
            "plan",
            "--output",
            "json",
            "--manager",
            root.to_str().unwrap(),
        ];
        scene.data(&words).json()
    };
    let deleted = |planned: &Value| -> BTreeSet<String> {
        let changes = planned["changes"].as_array().unwrap().iter();
        let gone = changes.filter(|change| change["action"] == "deleted");
        gone.map(|change| change["address"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(plan()["changes"], serde_json::json!([]));

    let mut told = 0;
    let files = files_below(&root);
    for file in &files {
        let text = fs::read(file).unwrap();
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        for (way, break_it) in WAYS {
            break_it(file, &text);
            // Settings that cannot be read leave no plan at all.
            let words = [
                "plan",
                "--output",
                "json",
                "--manager",
                root.to_str().unwrap(),
            ];
            let planned = scene.data(&words);
            if planned.stdout.is_empty() {
                assert!(name == "dayfly.hcl", "{name} {way}: {}", planned.stderr);
                told += 1;
            } else {
                let planned = planned.json();
                assert_eq!(deleted(&planned), BTreeSet::new(), "{name} is {way}");
                told += usize::from(planned["problems"] != serde_json::json!([]));
            }
            let _ = fs::remove_file(file);
            fs::write(file, &text).unwrap();
        }
        // A block goes with its file; what a block includes does not take it along.
        let is_environment = name.contains("/environments/") && !name.ends_with("variables.tf");
        if is_environment || !name.ends_with(".tf") {
            fs::remove_file(file).unwrap();
            let words = [
                "plan",
                "--output",
                "json",
                "--manager",
                root.to_str().unwrap(),
            ];
            let planned = scene.data(&words);
            if !planned.stdout.is_empty() {
                let gone = deleted(&planned.json());
                let stem = file.file_stem().unwrap().to_str().unwrap();
                let is_its = |address: &String| address.contains(&format!("module.{stem}."));
                assert_eq!(gone.is_empty(), !is_environment, "{name} is gone: {gone:?}");
                assert!(gone.iter().all(is_its), "{name} is gone: {gone:?}");
            }
            fs::write(file, &text).unwrap();
        }
    }
    assert_eq!(plan()["changes"], serde_json::json!([]));
    // That the ways do break files is seen by what is said of them.
    assert!(told > files.len() * 3, "{told} of {} files", files.len());
}
