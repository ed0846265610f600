//! The commits that led to one, by first parents.

use std::iter;

use super::commit_id::CommitId;
use super::error::GitError;
use super::repository::{CommitInfo, Repository, find_commit};

impl Repository {
    /// The commits from `tip` back along first parents, newest first, as far as they are here: also
    /// where the repository takes its history for cut off. Each is read when it is asked for; an error is
    /// the last.
    pub fn history(
        &self,
        tip: &CommitId,
    ) -> impl Iterator<Item = Result<(CommitId, CommitInfo), GitError>> {
        let mut next = Some(tip.clone());
        iter::from_fn(move || {
            let id = next.take().filter(|id| self.contains(id))?;
            let read = self.commit_info(&id).and_then(|info| {
                next = self.first_parent(&id)?;
                Ok((id, info))
            });
            Some(read)
        })
    }

    fn first_parent(&self, commit: &CommitId) -> Result<Option<CommitId>, GitError> {
        let objects = self.objects();
        // Of a commit whose history is cut off the library knows no parents.
        let commit = find_commit(&objects, commit)?;
        let header = commit.raw_header().unwrap_or_default();
        let parent = header.lines().find_map(|line| line.strip_prefix("parent "));
        Ok(parent.and_then(|parent| parent.parse().ok()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::git::repository::tests::fixture;
    use crate::git::{CommitId, Remote, Repository};

    #[test]
    fn history_goes_on_where_it_is_cut_off() {
        let (made, cache) = (fixture(), fixture());
        let place = format!("file://{}", made.repository.path().display());
        let mut tips: Vec<CommitId> = Vec::new();
        for text in ["1", "2", "3"] {
            let tip = made.commit(tips.last(), &[("a", text)]);
            made.repository.set_branch("main", &tip).unwrap();
            let remote = Remote::new(&place, None);
            let branch = ["+refs/heads/main:refs/heads/main"];
            cache.repository.fetch(&remote, &branch, Some(1)).unwrap();
            tips.push(tip);
            // What is cut off is read when a repository is opened.
            let opened = Repository::open_or_create(cache.repository.path()).unwrap();
            let history = opened.history(&tips[tips.len() - 1]);
            let mut history: Vec<CommitId> = history.map(|commit| commit.unwrap().0).collect();
            history.reverse();
            assert_eq!(history, tips);
        }
    }

    #[test]
    fn history_is_read_no_further_than_it_is_asked_for() {
        let made = fixture();
        let first = made.commit(None, &[("a", "1")]);
        let second = made.commit(Some(&first), &[("a", "2")]);
        let opened = Repository::open_or_create(made.repository.path()).unwrap();
        let mut history = opened.history(&second);
        assert_eq!(history.next().unwrap().unwrap().0, second);
        let (directory, file) = first.as_str().split_at(2);
        let objects = made.repository.path().join("objects");
        fs::remove_file(objects.join(directory).join(file)).unwrap();
        assert!(history.next().is_none());
    }
}
