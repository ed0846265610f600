//! One who writes to a repository through dayfly's own room for Git.

use dayfly::git::{
    CommitId, Committer, Edit, GitError, MIRROR, Push, Remote, Repository, Signature, Token,
};

use super::{BareRepository, World};

/// A writer: a cache of its own, and the repository it writes to.
pub(crate) struct Writer {
    pub(crate) cache: Repository,
    pub(crate) remote: Remote,
}

impl Writer {
    pub(crate) fn new(world: &World, name: &str, url: &str, token: Option<&str>) -> Self {
        let cache = Repository::open_or_create(world.path(name)).unwrap();
        Self {
            cache,
            remote: Remote::new(url, token.map(Token::new)),
        }
    }

    pub(crate) fn fetch(&self) -> Option<CommitId> {
        self.cache.fetch(&self.remote, &[MIRROR], None).unwrap();
        self.cache.branch_tip("main").unwrap()
    }

    pub(crate) fn commit(&self, parent: Option<&CommitId>, path: &str) -> CommitId {
        let edit = Edit::Write {
            path: path.to_owned(),
            bytes: path.into(),
        };
        let time = "2026-11-21T09:00:00Z".parse().unwrap();
        let message = format!("add {path}");
        let author = Signature::new("Ann", "ann@people.example");
        self.cache
            .commit_edits(
                parent,
                &[edit],
                &message,
                &author,
                &Committer::default(),
                time,
            )
            .unwrap()
            .unwrap()
    }

    pub(crate) fn push(
        &self,
        commit: &CommitId,
        expected: Option<&CommitId>,
    ) -> Result<Push, GitError> {
        self.cache.push(&self.remote, commit, "main", expected)
    }

    /// Writes a file as the real writer does: again on the fresh tip until it lands. Returns how
    /// often it lost. `tip` is where it believes the branch to be.
    pub(crate) fn write(&self, tip: &mut Option<CommitId>, path: &str) -> usize {
        for lost in 0..100 {
            let commit = self.commit(tip.as_ref(), path);
            match self.push(&commit, tip.as_ref()).unwrap() {
                Push::Accepted => {
                    *tip = Some(commit);
                    return lost;
                }
                Push::LostRace => *tip = self.fetch(),
            }
        }
        panic!("{path} never landed");
    }
}

/// A commit's id, from what the repository's own helpers return.
pub(crate) fn id(text: &str) -> CommitId {
    text.parse().unwrap()
}

/// Where `main` stands.
pub(crate) fn tip(repository: &BareRepository) -> Option<CommitId> {
    repository.tip("main").as_deref().map(id)
}
