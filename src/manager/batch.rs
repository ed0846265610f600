//! Many wishes of one writer, carried out in one push.
//!
//! As every write: decided on the tip, and again on the fresh one after a lost race. It asks nobody
//! for help and helps nobody: who has many wishes can come again.

use std::time::{Duration, Instant};

use super::fold::{Fold, Request};
use super::lateness::overtaken;
use super::location::Listing;
use super::sending::{self, Step};
use super::writer::look_again;
use super::{Artifact, Manager, ManagerError, Outcome, Wish};
use crate::clock;
use crate::git::{Committer, Push, Repository};

/// What became of a wish. One that cannot be decided does not stop the others.
pub type Told = Result<Outcome, ManagerError>;

/// Does what the wishes ask for, each as a commit of its own, all in one push; tells of each in
/// their order. What waits for an artifact that is not built is [`ManagerError::NotBuilt`]; a race
/// that is not won within `patience` is [`ManagerError::LostRace`].
pub fn write_all(
    manager: &Manager,
    wishes: &[Wish],
    cache: &Repository,
    committer: &Committer,
    is_built: &dyn Fn(&Artifact) -> bool,
    patience: Duration,
) -> Result<Vec<Told>, ManagerError> {
    let started = Instant::now();
    let mut told: Vec<Option<Told>> = wishes.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..wishes.len()).collect();
    let mut attempts = 0_u32;
    while !open.is_empty() {
        let listing = manager.look(cache)?;
        let batch = Batch::fold(manager, wishes, &open, cache, committer, &listing, is_built)?;
        let overtaken = match batch.is_empty() {
            true => Some(Vec::new()),
            false => batch.push(manager, cache, &listing)?,
        };
        attempts += 1;
        match overtaken {
            Some(again) => {
                for (place, answer) in batch.told() {
                    told[place] = Some(answer);
                }
                open = again;
            }
            None if started.elapsed() >= patience => {
                return Err(ManagerError::LostRace {
                    manager: manager.remote.to_string(),
                    attempts,
                    waited: started.elapsed(),
                });
            }
            None => {
                let pause = 0.05 * f64::from(attempts.min(20)) * clock::jitter();
                std::thread::sleep(Duration::from_secs_f64(pause));
            }
        }
    }
    Ok(told.into_iter().flatten().collect())
}

/// What [`write_all`] would do on the manager repository as it stands. Nothing is pushed.
pub fn explain_all(
    manager: &Manager,
    wishes: &[Wish],
    cache: &Repository,
    committer: &Committer,
    is_built: &dyn Fn(&Artifact) -> bool,
) -> Result<Vec<Told>, ManagerError> {
    let listing = manager.look(cache)?;
    let all: Vec<usize> = (0..wishes.len()).collect();
    let batch = Batch::fold(manager, wishes, &all, cache, committer, &listing, is_built)?;
    Ok(batch.told().into_iter().map(|(_, told)| told).collect())
}

/// Wishes folded on one tip.
struct Batch<'a> {
    fold: Fold<'a>,
    /// Which wish each answer of the fold is of.
    places: Vec<usize>,
    failed: Vec<(usize, ManagerError)>,
}

impl<'a> Batch<'a> {
    fn fold(
        manager: &'a Manager,
        wishes: &[Wish],
        open: &[usize],
        cache: &'a Repository,
        committer: &'a Committer,
        listing: &'a Listing,
        is_built: &dyn Fn(&Artifact) -> bool,
    ) -> Result<Self, ManagerError> {
        let mut fold = Fold::new(cache, &manager.remote, listing, committer)?;
        fold.prepare(open.iter().map(|place| &wishes[*place]))?;
        let (mut places, mut failed) = (Vec::new(), Vec::new());
        for &place in open {
            let request = Request {
                wish: wishes[place].clone(),
                author: committer.signature.clone(),
                intent: None,
            };
            let decided = fold.decide(&request.wish);
            let added = decided.and_then(|decision| match &decision.artifact {
                Some(artifact) if !is_built(artifact) => {
                    Err(ManagerError::NotBuilt(artifact.clone()))
                }
                _ => fold.carry_out(request, decision),
            });
            match added {
                Ok(()) => places.push(place),
                Err(error) => failed.push((place, error)),
            }
        }
        Ok(Self {
            fold,
            places,
            failed,
        })
    }

    fn is_empty(&self) -> bool {
        self.fold.is_empty()
    }

    /// Pushes the fold. Returns the wishes that are to be decided anew; `None` if the race was lost.
    fn push(
        &self,
        manager: &Manager,
        cache: &Repository,
        listing: &Listing,
    ) -> Result<Option<Vec<usize>>, ManagerError> {
        let step = Step {
            branch: &listing.branch,
            tip: &listing.tip,
            new: self.fold.step().map(|step| step.to),
            gate: self.fold.gate()?,
        };
        let sent = match sending::push(cache, &manager.remote, &step, &self.fold.memory()) {
            Ok(sent) => sent,
            Err(error) => look_again(manager, &step, error)?,
        };
        Ok(match sent.pushed {
            Push::LostRace => None,
            Push::Accepted if sent.is_gated => Some(Vec::new()),
            Push::Accepted => {
                let again = overtaken(manager, &self.fold, &listing.tip, sent.note.is_none());
                Some(again.into_iter().map(|one| self.places[one]).collect())
            }
        })
    }

    /// What became of each wish, in the order of the wishes.
    fn told(self) -> Vec<(usize, Told)> {
        let answers = self.fold.answers.into_iter();
        let answers = answers.map(|answer| Ok(answer.outcome));
        let failed = self.failed.into_iter();
        let mut told: Vec<(usize, Told)> = self
            .places
            .into_iter()
            .zip(answers)
            .chain(failed.map(|(place, error)| (place, Err(error))))
            .collect();
        told.sort_by_key(|(place, _)| *place);
        told
    }
}
