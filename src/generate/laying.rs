//! Files laid into a directory, never over what is there.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::{GenerateError, GeneratedFile};

/// What became of files that were laid into a directory: their paths in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Laid {
    pub written: Vec<String>,
    /// There already, with the same bytes.
    pub unchanged: Vec<String>,
    /// There already and different from what would be generated: left as they are.
    pub kept: Vec<String>,
}

/// Writes each of `files` that is not there yet, or none of them. A file appears whole or not at
/// all; what stands at its path, a link too, is never touched.
pub fn lay(files: &[GeneratedFile], directory: &Path) -> Result<Laid, GenerateError> {
    let mut laid = Laid::default();
    for file in files {
        let target = directory.join(&file.path);
        let outcome = match fs::symlink_metadata(&target) {
            Ok(_) => Ok(compare(file, &target)),
            Err(_) => create(file, &target),
        };
        let outcome = outcome.inspect_err(|_| take_back(&laid, directory))?;
        match outcome {
            Outcome::Written => laid.written.push(file.path.clone()),
            Outcome::Unchanged => laid.unchanged.push(file.path.clone()),
            Outcome::Kept => laid.kept.push(file.path.clone()),
        }
    }
    Ok(laid)
}

/// Removes what was written, and the directories below `directory` that are empty then. What cannot
/// be removed stays: the failure before this one is what is told.
pub(super) fn take_back(laid: &Laid, directory: &Path) {
    for path in &laid.written {
        let target = directory.join(path);
        let _ = fs::remove_file(&target);
        let parents = target.ancestors().skip(1);
        for parent in parents.take_while(|parent| *parent != directory) {
            let _ = fs::remove_dir(parent);
        }
    }
}

enum Outcome {
    Written,
    Unchanged,
    Kept,
}

fn compare(file: &GeneratedFile, target: &Path) -> Outcome {
    match fs::read(target) {
        Ok(bytes) if bytes == file.text.as_bytes() => Outcome::Unchanged,
        _ => Outcome::Kept,
    }
}

fn create(file: &GeneratedFile, target: &Path) -> Result<Outcome, GenerateError> {
    let fail = |source| GenerateError::Write {
        path: target.display().to_string(),
        source,
    };
    match prepare(&file.text, target)
        .map_err(fail)?
        .persist_noclobber(target)
    {
        Ok(_) => Ok(Outcome::Written),
        // Someone was faster.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(compare(file, target))
        }
        Err(error) => Err(fail(error.error)),
    }
}

/// Replaces the file at `target` by `text` at one blow, keeping its permissions.
pub(super) fn replace(text: &str, target: &Path) -> Result<(), GenerateError> {
    let replace = || {
        // A link stays one: what it leads to is replaced.
        let target = fs::canonicalize(target)?;
        let temporary = prepare(text, &target)?;
        temporary
            .as_file()
            .set_permissions(fs::metadata(&target)?.permissions())?;
        temporary.persist(&target).map_err(|error| error.error)
    };
    replace()
        .map(|_| ())
        .map_err(|source| GenerateError::Write {
            path: target.display().to_string(),
            source,
        })
}

/// A temporary file beside `target` that holds `text`.
fn prepare(text: &str, target: &Path) -> io::Result<tempfile::NamedTempFile> {
    let directory = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".dayfly-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As for any new file: what the process's mask leaves of it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.tempfile_in(directory)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> GeneratedFile {
        GeneratedFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn what_is_there_stays() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("new");
        let files = [
            file("a", "1"),
            file("b/c", "2"),
            file("d", "3"),
            file("e", "4"),
        ];
        fs::create_dir_all(root.join("e")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("d")).unwrap();
        let laid = lay(&files, &root).unwrap();
        assert_eq!(
            (laid.written, laid.kept),
            (vec!["a".into(), "b/c".into()], vec!["d".into(), "e".into()])
        );

        fs::write(root.join("a"), "mine").unwrap();
        let laid = lay(&files, &root).unwrap();
        assert_eq!(laid.written, Vec::<String>::new());
        assert_eq!(laid.unchanged, ["b/c"]);
        assert_eq!(laid.kept, ["a", "d", "e"]);
        assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "mine");
        let mut names: Vec<_> = fs::read_dir(&root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["a", "b", "d", "e"], "no temporary file is left");
    }

    #[test]
    fn a_directory_in_the_way_is_named() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("b"), "").unwrap();
        let files = [file("a/x/1", ""), file("a/2", ""), file("b/c", "")];
        let error = lay(&files, directory.path()).unwrap_err();
        assert!(error.to_string().ends_with("/b/c"), "{error}");
        assert!(
            !directory.path().join("a").exists(),
            "nothing is left of it"
        );
    }

    #[test]
    fn a_replaced_file_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("main.tf");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace("new", &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }
}
