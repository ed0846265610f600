//! One data directory owns a manager repository from its first apply on.

use super::{Apply, ReconcileError};
use crate::clock::Time;
use crate::config;
use crate::error::{Diagnose, Kind};
use crate::git::{AtomicPush, CommitId, Repository};
use crate::manager::Owner;
use crate::store::{DataDirectory, Store};

#[derive(Debug, thiserror::Error)]
pub enum OwnershipError {
    #[error("{manager} is applied by {}", told(owner.as_ref()))]
    Another {
        manager: String,
        owner: Option<(Owner, Time)>,
    },
    #[error(
        "{manager} was applied from the data directory {directory}, whose store knows nothing of it any more: \
         all that stands would be made anew"
    )]
    RecordsLost { manager: String, directory: String },
    #[error(
        "{manager} does not let this data directory be recorded as the one that applies it: {words}"
    )]
    Unrecorded { manager: String, words: String },
    #[error("{manager} was taken by another data directory just now")]
    Raced { manager: String },
}

fn told(owner: Option<&(Owner, Time)>) -> String {
    match owner {
        Some((owner, since)) => format!(
            "another data directory: {} on {}, since {since}",
            owner.path, owner.host
        ),
        None => "somebody whose record cannot be read".to_owned(),
    }
}

impl Diagnose for OwnershipError {
    fn kind(&self) -> Kind {
        match self {
            Self::Another { .. } | Self::RecordsLost { .. } => Kind::Denied,
            Self::Unrecorded { .. } => Kind::Outside,
            Self::Raced { .. } => Kind::LostRace,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Another { .. } => {
                    "apply there, or bring that directory here; if it is gone, and nothing that it made stands: \
                     --take-over"
                }
                Self::RecordsLost { .. } => {
                    "put its dayfly.db back from a backup; if nothing that it made stands: --take-over"
                }
                Self::Unrecorded { .. } => {
                    "give `dayfly apply` a token that may push refs/dayfly/owner (on GitHub: contents, write)"
                }
                Self::Raced { .. } => "run it again to see whose it is",
            }
            .to_owned(),
        )
    }
}

/// Makes sure that the manager repository, whose record was seen at `seen`, is this directory's.
pub(super) fn own(
    options: &Apply<'_>,
    cache: &Repository,
    directory: &DataDirectory,
    store: &mut Store,
    seen: Option<&CommitId>,
) -> Result<(), ReconcileError> {
    let manager = options.manager;
    let known = store.directory()?;
    let id = directory.id(known.as_deref())?;
    let name = || manager.remote.to_string();
    if let Some(record) = seen {
        let owner = Owner::read(manager, cache, record)?;
        let is_own = owner.as_ref().is_some_and(|(owner, _)| owner.id == id);
        let has_records = known.as_deref() == Some(&*id);
        match () {
            () if is_own && has_records => return Ok(()),
            () if options.takes_over => {}
            () if is_own => {
                return Err(OwnershipError::RecordsLost {
                    manager: name(),
                    directory: directory.path().display().to_string(),
                }
                .into());
            }
            () => {
                return Err(OwnershipError::Another {
                    manager: name(),
                    owner,
                }
                .into());
            }
        }
    }
    // The store first: one that died before the push tries it again.
    store.set_directory(&id)?;
    let owner = Owner {
        id,
        host: config::host_name(),
        path: directory.path().display().to_string(),
    };
    match owner.record(manager, cache, seen)? {
        AtomicPush::Accepted => Ok(()),
        AtomicPush::LostRace => Err(OwnershipError::Raced { manager: name() }.into()),
        AtomicPush::Refused(words) => Err(OwnershipError::Unrecorded {
            manager: name(),
            words,
        }
        .into()),
    }
}
