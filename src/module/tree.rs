//! The files of the repository as the language sees them: paths relative to the root module,
//! never outside.

use std::cell::Cell;

use super::origin::is_environments;
use crate::files::{Files, join};

/// The repository, and the directory of the root module in it.
#[derive(Clone, Copy)]
pub(super) struct Tree<'a> {
    pub files: &'a dyn Files,
    pub root: &'a str,
    /// Whether an expression has looked at what stands in a directory of environments.
    pub looked: &'a Cell<bool>,
}

impl Tree<'_> {
    /// The path in the repository that `path` means to the root module.
    pub(super) fn locate(&self, path: &str) -> Result<String, String> {
        resolve(self.root, path)
            .ok_or_else(|| format!("the path {path:?} leads out of the repository"))
    }

    fn look_at(&self, directory: &str) {
        if is_environments(directory) {
            self.looked.set(true);
        }
    }

    /// The bytes of a file.
    pub(super) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let located = self.locate(path)?;
        let directory = located
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory);
        self.look_at(directory);
        self.files.read(&located).map_err(|error| error.to_string())
    }

    /// All files below a directory, as paths relative to it.
    pub(super) fn walk(&self, directory: &str) -> Result<Vec<String>, String> {
        let start = self.locate(directory)?;
        let mut found = Vec::new();
        let mut open = vec![String::new()];
        while let Some(below) = open.pop() {
            let path = if below.is_empty() {
                start.clone()
            } else {
                join(&start, &below)
            };
            self.look_at(&path);
            for entry in self.files.list(&path).map_err(|error| error.to_string())? {
                let name = join(&below, &entry.name);
                if entry.is_directory {
                    open.push(name)
                } else {
                    found.push(name)
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// The path `relative` from the directory `base`; `None` if it leaves the root or is absolute.
pub(super) fn resolve(base: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut names: Vec<&str> = base.split('/').filter(|name| !name.is_empty()).collect();
    for name in relative.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

/// The path of `target` as seen from the directory `base`, the way Terraform prints it.
pub(super) fn relative(base: &str, target: &str) -> String {
    let split = |path: &str| -> Vec<String> {
        path.split('/')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (base, target) = (split(base), split(target));
    let shared = base
        .iter()
        .zip(&target)
        .take_while(|(left, right)| left == right)
        .count();
    let up = std::iter::repeat_n("..", base.len() - shared);
    let down = target[shared..].iter().map(String::as_str);
    let path = up.chain(down).collect::<Vec<_>>().join("/");
    if path.is_empty() {
        ".".to_owned()
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::{relative, resolve};

    #[test]
    fn paths_stay_inside() {
        assert_eq!(resolve("a/b", "../c").as_deref(), Some("a/c"));
        assert_eq!(resolve("", "./a/./b").as_deref(), Some("a/b"));
        assert_eq!(resolve("a", "..").as_deref(), Some(""));
        assert_eq!(resolve("a", "../.."), None);
        assert_eq!(resolve("a", "/etc/passwd"), None);
        assert_eq!(relative("", "a/b"), "a/b");
        assert_eq!(relative("x", "a"), "../a");
        assert_eq!(relative("x", "x"), ".");
    }
}
