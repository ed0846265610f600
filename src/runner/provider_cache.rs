//! The cache of providers that all runs share: only what an `init` has brought to its end stays in it.
//!
//! A tool unpacks a provider into the cache file by file, and takes what it finds there the next time
//! for whole. So the packages that are known to be whole stand in a list, and others are taken out
//! before the next `init`. Only who holds the cache's lock may call this.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The packages that are whole, a path in the cache per line.
const LIST: &str = ".whole";
/// A package is a directory `HOST/NAMESPACE/NAME/VERSION/SYSTEM`.
const DEPTH: usize = 5;

/// Takes out what an `init` has left that did not come to its end.
pub(super) fn take_out_parts(cache: &Path) -> io::Result<()> {
    let there = packages(cache)?;
    let Some(whole) = whole(cache)? else {
        // Brought by a dayfly that kept no list, or by somebody.
        return write(cache, &there);
    };
    for part in there.difference(&whole) {
        tracing::debug!("{part} is taken out of the cache of providers: its init was cut off");
        fs::remove_dir_all(cache.join(part))?;
    }
    // What somebody has removed is not whole when it comes again.
    if !whole.is_subset(&there) {
        write(cache, &whole.intersection(&there).cloned().collect())?;
    }
    Ok(())
}

/// Notes that an `init` has come to its end: all that is there is whole.
pub(super) fn note_whole(cache: &Path) -> io::Result<()> {
    let there = packages(cache)?;
    if whole(cache)?.as_ref() == Some(&there) {
        return Ok(());
    }
    write(cache, &there)
}

/// `None` where there is no list yet.
fn whole(cache: &Path) -> io::Result<Option<BTreeSet<String>>> {
    match fs::read_to_string(cache.join(LIST)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => Ok(Some(text?.lines().map(str::to_owned).collect())),
    }
}

/// Writes the list whole or not at all.
fn write(cache: &Path, whole: &BTreeSet<String>) -> io::Result<()> {
    let lines: String = whole.iter().flat_map(|path| [path, "\n"]).collect();
    let new = cache.join(format!("{LIST}.new"));
    fs::write(&new, lines)?;
    fs::rename(new, cache.join(LIST))
}

/// The packages that are there. A link leads to what was unpacked elsewhere, by others.
fn packages(cache: &Path) -> io::Result<BTreeSet<String>> {
    let mut found = vec![PathBuf::new()];
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        for directory in found {
            for entry in fs::read_dir(cache.join(&directory))? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    below.push(directory.join(entry.file_name()));
                }
            }
        }
        found = below;
    }
    let paths = found.into_iter();
    Ok(paths
        .filter_map(|path| path.into_os_string().into_string().ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{note_whole, take_out_parts};

    #[test]
    fn only_what_an_init_has_brought_to_its_end_stays() {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path();
        let package = |name: &str| cache.join("registry.example.com/acme").join(name);
        let unpack = |name: &str| {
            let system = package(name).join("1.0.0/linux_amd64");
            fs::create_dir_all(&system).unwrap();
            fs::write(system.join("provider"), "").unwrap();
        };
        let stand = |names: &[&str]| {
            take_out_parts(cache).unwrap();
            ["a", "b"].map(|name| package(name).join("1.0.0/linux_amd64/provider").exists())
                == ["a", "b"].map(|name| names.contains(&name))
        };
        assert!(stand(&[]));
        unpack("a");
        assert!(stand(&[]));
        // Of a time that kept no list.
        fs::remove_file(cache.join(super::LIST)).unwrap();
        unpack("b");
        assert!(stand(&["b"]));
        fs::remove_dir_all(package("b")).unwrap();
        unpack("a");
        note_whole(cache).unwrap();
        unpack("b");
        assert!(stand(&["a"]));
        unpack("b");
        note_whole(cache).unwrap();
        assert!(stand(&["a", "b"]));
        // Removed by somebody, and begun anew.
        fs::remove_dir_all(package("a")).unwrap();
        assert!(stand(&["b"]));
        unpack("a");
        assert!(stand(&["b"]));
    }
}
