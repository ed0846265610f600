//! The writer: an event or a person's word becomes one commit, or none.
//!
//! A first attempt is a plain push from the tip that the decision was taken on. Who loses that race
//! publishes an intent and waits for its turn; whoever's turn it is carries out all intents that
//! it sees in one push. ARCHITECTURE.md tells why no wish is lost and none carried out twice.

mod asking;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::decision::Decision;
use super::fold::{Answer, Fold, Request};
use super::intents::Intent;
use super::lateness::overtaken;
use super::location::Listing;
use super::sending::{self, Sent, Step};
use super::{Manager, ManagerError, Outcome, Wish};
use crate::event::Action;
use crate::git::{AtomicPush, Committer, GitError, Push, ReferenceEdit, Repository};
use asking::Withdrawal;

/// How many wishes of others one push takes along, and for how long they are looked at.
const MOST_FOLDED: usize = 200;
const LONGEST_FOLD: Duration = Duration::from_secs(3);
/// How often what went wrong for others is mended before it is left to the next writer.
const MENDINGS: usize = 3;

/// Does what `wish` asks for on the manager repository: one commit on its branch, or none if it is
/// so already. `cache` is a bare repository for the objects on their way. A race that is not won
/// within `patience` is [`ManagerError::LostRace`], and nothing is left behind then.
pub fn write(
    manager: &Manager,
    wish: &Wish,
    cache: &Repository,
    committer: &Committer,
    patience: Duration,
) -> Result<Outcome, ManagerError> {
    let writer = Writer::new(manager, wish, cache, committer, patience);
    writer.write()
}

/// As [`write()`], but nothing is written that waits for an artifact: [`ManagerError::NotBuilt`] says
/// for which, and `write` does it once that is there.
pub fn write_once_built(
    manager: &Manager,
    wish: &Wish,
    cache: &Repository,
    committer: &Committer,
    patience: Duration,
) -> Result<Outcome, ManagerError> {
    let writer = Writer {
        waits_for_artifact: true,
        ..Writer::new(manager, wish, cache, committer, patience)
    };
    writer.write()
}

impl<'a> Writer<'a> {
    fn new(
        manager: &'a Manager,
        wish: &'a Wish,
        cache: &'a Repository,
        committer: &'a Committer,
        patience: Duration,
    ) -> Self {
        Self {
            manager,
            wish,
            cache,
            committer,
            started: Instant::now(),
            patience,
            attempts: 0,
            // Nobody can sign for another.
            helps: committer.key.is_none(),
            intent: None,
            told: None,
            others: Vec::new(),
            passed_over: BTreeSet::new(),
            waits_for_artifact: false,
        }
    }
}

struct Writer<'a> {
    manager: &'a Manager,
    wish: &'a Wish,
    cache: &'a Repository,
    committer: &'a Committer,
    started: Instant,
    patience: Duration,
    attempts: u32,
    /// Whether it carries out the wishes of others, and lets others carry out its own.
    helps: bool,
    /// Its own, while it stands in the manager repository.
    intent: Option<Intent>,
    /// What its own wish last came to.
    told: Option<Answer>,
    /// Wishes of others that it carried out and that are to be decided anew.
    others: Vec<Request>,
    /// The intents that nobody waits for: whose turn it is does not depend on them.
    passed_over: BTreeSet<String>,
    /// Whether nothing is written that an artifact is missing for.
    waits_for_artifact: bool,
}

/// How an attempt ended.
enum Attempt {
    Done(Outcome),
    LostRace,
    /// To be tried again, and nobody is to be waited for.
    Again,
}

/// How a push of a fold ended.
enum Pushed {
    Accepted {
        /// What is to be told besides, if anything.
        note: Option<String>,
        /// Which answers are to be decided anew, by their numbers.
        redo: Vec<usize>,
    },
    LostRace,
    /// The server takes no push that answers intents.
    NotTogether,
}

impl Writer<'_> {
    fn write(mut self) -> Result<Outcome, ManagerError> {
        let ended = self.carry_out();
        if ended.is_err() {
            // What was told as failed is not to be carried out by another.
            let _ = self.withdraw();
        }
        ended
    }

    fn carry_out(&mut self) -> Result<Outcome, ManagerError> {
        let mut listing = self.manager.look(self.cache)?;
        loop {
            match self.attempt(&listing)? {
                Attempt::Done(outcome) => {
                    self.mend();
                    return Ok(outcome);
                }
                Attempt::LostRace if self.is_out_of_patience() => return self.give_up(),
                Attempt::LostRace => {
                    self.ask_for_help(&listing)?;
                    if let Some(now) = self.wait()?
                        && let Some(outcome) = self.answered(&now)?
                    {
                        return Ok(outcome);
                    }
                }
                Attempt::Again => {}
            }
            listing = self.manager.look(self.cache)?;
        }
    }

    fn is_out_of_patience(&self) -> bool {
        self.started.elapsed() >= self.patience
    }

    fn attempt(&mut self, listing: &Listing) -> Result<Attempt, ManagerError> {
        if let Some(intent) = &self.intent
            && !listing.intents.contains_key(&intent.id)
        {
            return Ok(match self.answered(listing)? {
                Some(outcome) => Attempt::Done(outcome),
                None => Attempt::Again,
            });
        }
        let mut fold = Fold::new(self.cache, &self.manager.remote, listing, self.committer)?;
        let (requests, dropped) = self.requests(listing);
        fold.dropped = dropped;
        let wishes = requests.iter().map(|request| &request.wish);
        fold.prepare(wishes.chain([self.wish]))?;
        let mut intents = requests
            .iter()
            .filter_map(|request| request.intent.as_ref());
        let is_contended = self.intent.is_none() && intents.any(Intent::is_fresh);
        let own = Request {
            wish: self.wish.clone(),
            author: self.committer.signature.clone(),
            intent: self.intent.clone(),
        };
        let number = self.wish.word.pull_request().number;
        let is_about_the_same =
            |request: &Request| request.wish.word.pull_request().number == number;
        let mut rest = Vec::new();
        let own = if requests.iter().any(is_about_the_same) {
            if self.waits_for_artifact {
                self.refuse_unbuilt(&fold.decide(self.wish)?)?;
            }
            // The last to arrive is the last to be decided.
            self.fold(&mut fold, requests);
            fold.add(own)?;
            fold.answers.len() - 1
        } else {
            let decision = fold.decide(self.wish)?;
            self.refuse_unbuilt(&decision)?;
            if decision.edit.is_none() && decision.memory.is_empty() {
                // What becomes of the others' wishes does not matter to it.
                self.fold(&mut fold, requests);
                return self.end_without_a_push(decision.outcome, &fold, listing);
            }
            fold.carry_out(own, decision)?;
            rest = requests;
            0
        };
        if is_contended && self.attempts == 0 && !self.is_out_of_patience() {
            // Others have lost a race: one more in it would only spoil theirs.
            self.told = Some(fold.answers.remove(own));
            return Ok(Attempt::LostRace);
        }
        self.fold(&mut fold, rest);
        if fold.is_empty() {
            return Ok(Attempt::Done(fold.answers.remove(own).outcome));
        }
        self.attempts += 1;
        let ended = match self.push(&fold, listing)? {
            Pushed::Accepted { note, redo } => {
                self.intent = None;
                let is_own_overtaken = redo.contains(&own);
                let others = redo.into_iter().filter(|number| *number != own);
                self.others = others.map(|number| fold.answers[number].again()).collect();
                let mut outcome = fold.answers.remove(own).outcome;
                outcome.add_reason(note);
                if is_own_overtaken {
                    Attempt::Again
                } else {
                    Attempt::Done(outcome)
                }
            }
            Pushed::LostRace => {
                self.told = Some(fold.answers.remove(own));
                self.others.extend(fold.unasked());
                Attempt::LostRace
            }
            Pushed::NotTogether => {
                self.told = Some(fold.answers.remove(own));
                self.others.extend(fold.unasked());
                self.helps = false;
                match self.withdraw_or_tell()? {
                    Withdrawal::CarriedOut(outcome) => Attempt::Done(outcome),
                    Withdrawal::TakenBack | Withdrawal::Dropped => Attempt::Again,
                }
            }
        };
        Ok(ended)
    }

    fn refuse_unbuilt(&self, decision: &Decision) -> Result<(), ManagerError> {
        match &decision.artifact {
            Some(artifact) if self.waits_for_artifact => {
                Err(ManagerError::NotBuilt(artifact.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Ends where nothing is to be written: its intent, if it stands, is taken back, and others are
    /// helped.
    fn end_without_a_push(
        &mut self,
        outcome: Outcome,
        fold: &Fold<'_>,
        listing: &Listing,
    ) -> Result<Attempt, ManagerError> {
        if self.intent.is_some()
            && let Withdrawal::CarriedOut(outcome) = self.withdraw_or_tell()?
        {
            return Ok(Attempt::Done(outcome));
        }
        self.help(fold, listing);
        Ok(Attempt::Done(outcome))
    }

    /// The wishes of others that wait, in the order of what they are about, those first whose
    /// writers may be waiting; and what is in nobody's way any more if it goes.
    fn requests(&mut self, listing: &Listing) -> (Vec<Request>, Vec<ReferenceEdit>) {
        let mut requests = std::mem::take(&mut self.others);
        self.passed_over.clear();
        if !self.helps || !listing.takes_intents {
            return (requests, Vec::new());
        }
        let own = self.intent.as_ref().map(|intent| intent.id.as_str());
        let (mut waiting, mut dropped) = (Vec::new(), Vec::new());
        for (id, target) in &listing.intents {
            if Some(id.as_str()) == own {
                continue;
            }
            let intent = Intent::read(self.cache, id, target);
            if !intent.as_ref().is_some_and(Intent::is_fresh) {
                self.passed_over.insert(id.clone());
            }
            match intent {
                Some(intent) => waiting.push(intent),
                None => dropped.extend(Intent::abandoned(self.cache, id, target)),
            }
        }
        waiting.sort_by_cached_key(|intent| {
            (!intent.is_fresh(), intent.wish.word.at(), intent.id.clone())
        });
        waiting.truncate(MOST_FOLDED);
        requests.extend(waiting.into_iter().map(|intent| Request {
            wish: intent.wish.clone(),
            author: intent.author.clone(),
            intent: Some(intent),
        }));
        (requests, dropped)
    }

    /// Adds the wishes of others to a fold, as far as there is time for them.
    fn fold(&mut self, fold: &mut Fold<'_>, requests: Vec<Request>) {
        let began = Instant::now();
        for request in requests {
            if began.elapsed() > LONGEST_FOLD {
                self.others
                    .extend(Some(request).filter(|r| r.intent.is_none()));
                continue;
            }
            let intent = request.intent.clone();
            if let Err(error) = fold.add(request) {
                // Its own writer meets the same error, and can tell somebody.
                tracing::debug!(%error, "another writer's wish is left to itself");
                if let Some(intent) = intent {
                    fold.dropped
                        .extend(intent.is_old().then(|| intent.removal()));
                    self.passed_over.insert(intent.id);
                }
            }
        }
    }

    fn push(&self, fold: &Fold<'_>, listing: &Listing) -> Result<Pushed, ManagerError> {
        let mut memory = fold.memory();
        let is_closed = self.wish.word.is_action(&Action::Closed);
        // Once: another writer may prune the same, and that is no race worth losing twice.
        if let (true, 1, Some(at)) = (is_closed, self.attempts, self.wish.word.at()) {
            listing.closings.prune(&mut memory, at);
        }
        let gate = fold.gate()?;
        let step = Step {
            branch: &listing.branch,
            tip: &listing.tip,
            new: fold.step().map(|step| step.to),
            gate: gate.clone(),
        };
        let sent = if fold.answers_intents() {
            let sent = |pushed| Sent {
                pushed,
                note: None,
                is_gated: gate.is_some(),
            };
            match fold.push(&memory, gate.clone()) {
                Ok(AtomicPush::Accepted) => Ok(sent(Push::Accepted)),
                Ok(AtomicPush::LostRace) => Ok(sent(Push::LostRace)),
                Ok(AtomicPush::Refused(words)) => {
                    tracing::debug!(words, "the wishes of others were refused");
                    return Ok(Pushed::NotTogether);
                }
                Err(error) => Err(error),
            }
        } else {
            sending::push(self.cache, &self.manager.remote, &step, &memory)
        };
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => look_again(self.manager, &step, error)?,
        };
        Ok(match sent.pushed {
            Push::Accepted if sent.is_gated => Pushed::Accepted {
                note: sent.note,
                redo: Vec::new(),
            },
            Push::Accepted => Pushed::Accepted {
                redo: overtaken(self.manager, fold, &listing.tip, sent.note.is_none()),
                note: sent.note,
            },
            Push::LostRace => Pushed::LostRace,
        })
    }

    /// Pushes what is only for others; if that does not succeed, the next writer will.
    fn help(&mut self, fold: &Fold<'_>, listing: &Listing) {
        if fold.is_empty() {
            return;
        }
        match self.push(fold, listing) {
            Ok(Pushed::Accepted { redo, .. }) => {
                let redo = redo.into_iter();
                self.others = redo.map(|number| fold.answers[number].again()).collect();
            }
            Ok(_) => self.others.extend(fold.unasked()),
            Err(error) => tracing::debug!(%error, "other writers' wishes are left to them"),
        }
    }

    /// Decides anew what was overtaken of others' wishes while it was carried out.
    fn mend(&mut self) {
        for _ in 0..MENDINGS {
            if self.others.is_empty() {
                return;
            }
            let Ok(listing) = self.manager.look(self.cache) else {
                return;
            };
            let fold = Fold::new(self.cache, &self.manager.remote, &listing, self.committer);
            let Ok(mut fold) = fold else {
                return;
            };
            let requests = std::mem::take(&mut self.others);
            for request in requests.iter().cloned() {
                if let Err(error) = fold.add(request) {
                    tracing::debug!(%error, "another writer's wish is left to itself");
                }
            }
            if fold.is_empty() {
                return;
            }
            match self.push(&fold, &listing) {
                Ok(Pushed::LostRace) => self.others = requests,
                _ => return,
            }
        }
    }

    /// Ends without having won. Taking the intent back decides between this writer and any other
    /// that is carrying it out: one of the two finds it gone.
    fn give_up(&mut self) -> Result<Outcome, ManagerError> {
        match self.withdraw_or_tell()? {
            Withdrawal::CarriedOut(outcome) => return Ok(outcome),
            Withdrawal::TakenBack => {}
            Withdrawal::Dropped => {
                let listing = self.manager.look(self.cache)?;
                let fold = Fold::new(self.cache, &self.manager.remote, &listing, self.committer)?;
                let decision = fold.decide(self.wish)?;
                if decision.edit.is_none() && decision.memory.is_empty() {
                    return Ok(decision.outcome);
                }
            }
        }
        Err(ManagerError::LostRace {
            manager: self.manager.remote.to_string(),
            attempts: self.attempts,
            waited: self.started.elapsed(),
        })
    }
}

/// How a push ended to which no answer came: where the branch stands tells it. If it stands where
/// nobody expected it, the decision is taken anew, and finds what is done already done.
pub(super) fn look_again(
    manager: &Manager,
    step: &Step<'_>,
    error: GitError,
) -> Result<Sent, ManagerError> {
    let is_slow = matches!(error, GitError::TimedOut { .. });
    let (Some(new), true) = (
        step.new,
        is_slow || matches!(error, GitError::Command { .. }),
    ) else {
        return Err(error.into());
    };
    let sent = |pushed| Sent {
        pushed,
        note: None,
        is_gated: false,
    };
    match manager.tip() {
        Ok((_, tip)) if tip == *new => Ok(sent(Push::Accepted)),
        // A server that gave no answer in time may still be at it.
        Ok((_, tip)) if tip == *step.tip && !is_slow => Err(error.into()),
        Ok((_, tip)) if tip != *step.tip => Ok(sent(Push::LostRace)),
        _ => Err(ManagerError::Unheard {
            manager: manager.remote.to_string(),
            branch: step.branch.to_owned(),
            commit: new.to_string(),
            source: Box::new(error),
        }),
    }
}
