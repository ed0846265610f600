//! The writer: an event or a person's word becomes one commit, or none.
//!
//! A first attempt is a plain push from the tip that the decision was taken on. Who loses that race
//! publishes an intent and waits for its turn; whoever's turn it is carries out all intents that
//! it sees in one push. ARCHITECTURE.md tells why no wish is lost and none carried out twice.

use std::time::{Duration, Instant};

use super::closings::{self, Step};
use super::fold::{Answer, Fold, Request};
use super::intents::Intent;
use super::lateness::overtaken;
use super::location::Listing;
use super::message::read_message;
use super::services::environments_directory;
use super::{Manager, ManagerError, Outcome, OutcomeAction, Wish};
use crate::clock;
use crate::environment::{EnvironmentId, environment_name};
use crate::event::Action;
use crate::files::join;
use crate::git::{AtomicPush, Committer, Extent, GitError, Push, Repository};

/// How many wishes of others one push takes along.
const MOST_FOLDED: usize = 200;
/// How often what went wrong for others is mended before it is left to the next writer.
const MENDINGS: usize = 3;
/// How long a writer has its turn, alone and for each that waits: time to look, decide and push
/// for all of them, and not so short that looking whether it is over keeps the server busy.
const TURN: Duration = Duration::from_millis(250);
const TURN_FOR_EACH: Duration = Duration::from_millis(40);
/// How many commits of history are searched for one's own, first and at last.
const DEPTHS: [u32; 2] = [256, 8192];
/// Where the history that is searched is kept in the cache.
const HISTORY: &str = "refs/dayfly/history";

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
    let writer = Writer {
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
    };
    writer.write()
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
    /// With what is to be told besides, if anything.
    Accepted(Option<String>),
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
        let decision = fold.decide(self.wish)?;
        for request in self.requests(listing) {
            if let Err(error) = fold.add(request) {
                // Its own writer meets the same error, and can tell somebody.
                tracing::debug!(%error, "another writer's wish is left to itself");
            }
        }
        if decision.edit.is_none() && decision.memory.is_empty() {
            // Nothing is asked of the branch: what becomes of the others' wishes does not matter.
            self.withdraw()?;
            self.help(&fold, listing);
            return Ok(Attempt::Done(decision.outcome));
        }
        let is_contended = self.intent.is_none() && fold.answers_fresh_intents();
        let own = Request {
            wish: self.wish.clone(),
            author: self.committer.signature.clone(),
            intent: self.intent.clone(),
        };
        if fold.answers.is_empty() {
            fold.carry_out(own, decision)?;
        } else {
            fold.add(own)?;
        }
        let own = fold.answers.len() - 1;
        if fold.is_empty() {
            return Ok(Attempt::Done(fold.answers.remove(own).outcome));
        }
        if is_contended && self.attempts == 0 && !self.is_out_of_patience() {
            // Others have lost a race: one more in it would only spoil theirs.
            self.told = Some(fold.answers.remove(own));
            return Ok(Attempt::LostRace);
        }
        self.attempts += 1;
        let pushed = self.push(&fold, listing)?;
        let ended = match pushed {
            Pushed::Accepted(note) => {
                self.intent = None;
                let redo = overtaken(self.manager, &fold, &listing.tip, note.is_none());
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
                Attempt::LostRace
            }
            Pushed::NotTogether => {
                self.told = Some(fold.answers.remove(own));
                self.helps = false;
                self.withdraw_or_tell()?
            }
        };
        Ok(ended)
    }

    /// The wishes of others that wait, in the order of what they are about.
    fn requests(&mut self, listing: &Listing) -> Vec<Request> {
        let mut requests = std::mem::take(&mut self.others);
        if !self.helps {
            return requests;
        }
        let own = self.intent.as_ref().map(|intent| intent.id.as_str());
        let mut waiting: Vec<Intent> = listing
            .intents
            .iter()
            .filter(|(id, _)| Some(id.as_str()) != own)
            .filter_map(|(id, target)| Intent::read(self.cache, id, target))
            .take(MOST_FOLDED)
            .collect();
        waiting.sort_by(|a, b| (a.wish.word.at(), &a.id).cmp(&(b.wish.word.at(), &b.id)));
        requests.extend(waiting.into_iter().map(|intent| Request {
            wish: intent.wish.clone(),
            author: intent.author.clone(),
            intent: Some(intent),
        }));
        requests
    }

    fn push(&self, fold: &Fold<'_>, listing: &Listing) -> Result<Pushed, ManagerError> {
        let mut memory = fold.memory();
        let is_closed = self.wish.word.is_action(&Action::Closed);
        // Once: another writer may prune the same, and that is no race worth losing twice.
        if let (true, 1, Some(at)) = (is_closed, self.attempts, self.wish.word.at()) {
            listing.closings.prune(&mut memory, at);
        }
        let step = Step {
            branch: &listing.branch,
            tip: &listing.tip,
            new: fold.step().map(|step| step.to),
        };
        let pushed = if fold.answers_intents() {
            fold.push(&memory).map(|pushed| match pushed {
                AtomicPush::Accepted => Pushed::Accepted(None),
                AtomicPush::LostRace => Pushed::LostRace,
                AtomicPush::Refused(words) => {
                    tracing::debug!(words, "the wishes of others were refused");
                    Pushed::NotTogether
                }
            })
        } else {
            let pushed = closings::push(self.cache, &self.manager.remote, step, &memory);
            pushed.map(|(pushed, note)| match pushed {
                Push::Accepted => Pushed::Accepted(note),
                Push::LostRace => Pushed::LostRace,
            })
        };
        match pushed {
            Ok(pushed) => Ok(pushed),
            Err(error) => look_again(self.manager, step, error),
        }
    }

    /// Pushes what is only for others; if that does not succeed, the next writer will.
    fn help(&mut self, fold: &Fold<'_>, listing: &Listing) {
        if fold.is_empty() {
            return;
        }
        match self.push(fold, listing) {
            Ok(Pushed::Accepted(_)) => {
                let redo = overtaken(self.manager, fold, &listing.tip, true);
                let redo = redo.into_iter();
                self.others = redo.map(|number| fold.answers[number].again()).collect();
            }
            Ok(_) => {}
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

    /// Publishes the wish, so that the winner of the next race carries it out.
    fn ask_for_help(&mut self, listing: &Listing) -> Result<(), ManagerError> {
        if !self.helps || self.intent.is_some() {
            return Ok(());
        }
        tracing::debug!(tip = %listing.tip, "lost the race for the branch, asking for help");
        let author = &self.committer.signature;
        self.intent = Intent::publish(self.cache, &self.manager.remote, self.wish, author)?;
        self.helps = self.intent.is_some();
        Ok(())
    }

    /// Waits for its turn. The writers that wait take turns in the order of their ids, so that one
    /// that died is passed over. Returns what is listed once its own intent is gone.
    fn wait(&self) -> Result<Option<Listing>, ManagerError> {
        let Some(intent) = &self.intent else {
            let pause = 0.05 * f64::from(self.attempts.min(20)) * clock::jitter();
            self.sleep(Duration::from_secs_f64(pause));
            return Ok(None);
        };
        for passed in 0.. {
            let listing = self.manager.listing()?;
            if !listing.intents.contains_key(&intent.id) {
                return Ok(Some(listing));
            }
            let rank = listing.intents.range(..intent.id.clone()).count();
            if passed >= rank || self.is_out_of_patience() {
                return Ok(None);
            }
            let waiting = u32::try_from(listing.intents.len()).unwrap_or(u32::MAX);
            let turn = TURN + TURN_FOR_EACH.saturating_mul(waiting);
            self.sleep(turn.mul_f64(0.75 + clock::jitter() / 2.0));
        }
        Ok(None)
    }

    fn sleep(&self, pause: Duration) {
        let left = self.patience.saturating_sub(self.started.elapsed());
        std::thread::sleep(pause.min(left));
    }

    /// What another writer made of the wish, its intent being gone: `None` if there is no commit
    /// of it, so that it is to be decided anew, or if a close overtook it.
    fn answered(&mut self, listing: &Listing) -> Result<Option<Outcome>, ManagerError> {
        let (Some(intent), Some(told)) = (self.intent.take(), &self.told) else {
            return Ok(None);
        };
        let refspec = format!("+refs/heads/{}:{HISTORY}", listing.branch);
        for depth in DEPTHS {
            let remote = &self.manager.remote;
            self.cache
                .fetch_extent(remote, &[&refspec], Some(depth), Extent::Message)?;
            let Some(tip) = self.cache.reference_tip(HISTORY)? else {
                return Ok(None);
            };
            let history = self.cache.history(&tip)?;
            let found = history.iter().find_map(|(commit, info)| {
                Some((commit, read_message(&info.message, &intent.id)?))
            });
            if let Some((commit, (action, environment))) = found {
                let outcome = outcome_of_another(told, action, environment, commit.to_string());
                let subject = told.subject.as_ref();
                let is_overtaken = action == OutcomeAction::Created
                    && subject.is_some_and(|subject| {
                        self.wish.word.is_late(&listing.closings, subject).is_some()
                    });
                return Ok(Some(outcome).filter(|_| !is_overtaken));
            }
            if history.len() < usize::try_from(depth).unwrap_or(usize::MAX) {
                break;
            }
        }
        Ok(None)
    }

    /// Takes the own intent back, if there is one.
    fn withdraw(&mut self) -> Result<(), ManagerError> {
        if let Some(intent) = self.intent.take() {
            intent.withdraw(self.cache, &self.manager.remote)?;
        }
        Ok(())
    }

    /// Takes the own intent back, or tells what another writer made of it meanwhile.
    fn withdraw_or_tell(&mut self) -> Result<Attempt, ManagerError> {
        let Some(intent) = &self.intent else {
            return Ok(Attempt::Again);
        };
        if intent.withdraw(self.cache, &self.manager.remote)? {
            self.intent = None;
            return Ok(Attempt::Again);
        }
        let listing = self.manager.listing()?;
        Ok(match self.answered(&listing)? {
            Some(outcome) => Attempt::Done(outcome),
            None => Attempt::Again,
        })
    }

    /// Ends without having won. Taking the intent back decides between this writer and any other
    /// that is carrying it out: one of the two finds it gone.
    fn give_up(&mut self) -> Result<Outcome, ManagerError> {
        if let Some(_) = &self.intent
            && let Attempt::Done(outcome) = self.withdraw_or_tell()?
        {
            return Ok(outcome);
        }
        Err(ManagerError::LostRace {
            manager: self.manager.remote.to_string(),
            attempts: self.attempts,
            waited: self.started.elapsed(),
        })
    }
}

/// What is told of a wish that another writer carried out: what it came to when it was decided
/// last, as far as the commit does not tell otherwise.
fn outcome_of_another(
    told: &Answer,
    action: OutcomeAction,
    environment: String,
    commit: String,
) -> Outcome {
    let mut outcome = told.outcome.clone();
    let is_same = outcome.environment.as_ref() == Some(&environment);
    if let (false, Some(service)) = (is_same, &outcome.service) {
        let pull_request = told.request.wish.word.pull_request();
        let name = environment_name(pull_request, &EnvironmentId::given(&environment));
        outcome.path = Some(join(
            &environments_directory(service),
            &format!("{name}.tf"),
        ));
        outcome.url = None;
    }
    outcome.action = action;
    outcome.environment = Some(environment).filter(|id| !id.is_empty());
    outcome.commit = Some(commit);
    outcome
}

/// How a push ended to which no answer came: where the branch stands tells it. If it stands where
/// nobody expected it, the decision is taken anew, and finds what is done already done.
fn look_again(manager: &Manager, step: Step<'_>, error: GitError) -> Result<Pushed, ManagerError> {
    let is_slow = matches!(error, GitError::TimedOut { .. });
    let (Some(new), true) = (
        step.new,
        is_slow || matches!(error, GitError::Command { .. }),
    ) else {
        return Err(error.into());
    };
    match manager.tip() {
        Ok((_, tip)) if tip == *new => Ok(Pushed::Accepted(None)),
        // A server that gave no answer in time may still be at it.
        Ok((_, tip)) if tip == *step.tip && !is_slow => Err(error.into()),
        Ok((_, tip)) if tip != *step.tip => Ok(Pushed::LostRace),
        _ => Err(ManagerError::Unheard {
            manager: manager.remote.to_string(),
            branch: step.branch.to_owned(),
            commit: new.to_string(),
            source: Box::new(error),
        }),
    }
}
