//! The one room that speaks Git.
//!
//! Objects are made and read in process (git2 without its network parts). What crosses to another
//! repository is done by the `git` command: it has thin packs, proxies, credentials and ssh as
//! their owner set them up, and it says of each pushed branch what the server answered. Where an
//! http address and a token are all there is to know, `wire` does a writer's requests without it.
//!
//! Invariants: no push is ever forced; a branch name, a path or a message is never an option or a
//! shell word; a token reaches `git` by its environment only and stands in no message.

mod atomic_push;
mod checkout;
mod commit;
mod commit_id;
mod directory;
mod edit;
mod error;
mod first_parents;
mod history;
mod locks;
mod private_key;
mod process;
mod remote;
mod repository;
mod signature;
mod signing;
mod ssh;
mod tips;
mod transfer;
mod tree;
mod update;
mod wire;
mod words;
mod work_tree;

pub use atomic_push::{AtomicPush, BranchMove, ReferenceEdit};
pub use commit_id::{CommitId, CommitIdError};
pub use edit::Edit;
pub use error::GitError;
pub use history::{Range, Standing, Touched};
pub use private_key::{PrivateKey, is_key_text, remove_keys};
pub use remote::{Remote, Token};
pub use repository::{CommitInfo, Repository};
pub use signature::{Signature, identity};
pub use signing::{Committer, SigningKey};
pub use tips::{Tips, list_tips};
pub use transfer::{Extent, MIRROR, Push};
pub use tree::CommitTree;
pub use wire::is_on_wire;
pub use work_tree::{commit_paths, has_changes, init_work_tree};
