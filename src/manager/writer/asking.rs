//! What a writer does that lost a race: it asks others, waits for its turn, and is told what they
//! did, or takes its wish back.

use std::time::Duration;

use super::super::fold::Answer;
use super::super::intents::Intent;
use super::super::location::Listing;
use super::super::message::read_message;
use super::super::services::{environment_path, service as service_of};
use super::super::{ManagerError, Outcome, OutcomeAction};
use super::Writer;
use crate::clock;
use crate::environment::{EnvironmentId, environment_name};
use crate::git::{CommitId, Extent};

/// How long a writer has its turn, alone and for each that waits: time to look, decide and push
/// for all of them, and not so short that looking whether it is over keeps the server busy.
const TURN: Duration = Duration::from_millis(250);
const TURN_FOR_EACH: Duration = Duration::from_millis(12);
/// How many commits of history are searched for one's own, first and at last.
const DEPTHS: [u32; 2] = [256, 8192];
/// Where the history that is searched is kept in the cache.
const HISTORY: &str = "refs/dayfly/history";

/// How taking an intent back ended.
pub(super) enum Withdrawal {
    TakenBack,
    /// Another writer had carried it out.
    CarriedOut(Outcome),
    /// Another writer had found nothing to do for it, or a close has overtaken it since.
    Dropped,
}

impl Writer<'_> {
    /// Publishes the wish, so that the winner of the next race carries it out.
    pub(super) fn ask_for_help(&mut self, listing: &Listing) -> Result<(), ManagerError> {
        if !self.helps || !listing.takes_intents || self.intent.is_some() {
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
    pub(super) fn wait(&self) -> Result<Option<Listing>, ManagerError> {
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
            let waiting = listing.intents.keys();
            let waiting = waiting.filter(|id| !self.passed_over.contains(*id));
            let rank = waiting.clone().filter(|id| **id < intent.id).count();
            if passed >= rank || self.is_out_of_patience() {
                return Ok(None);
            }
            let waiting = u32::try_from(waiting.count()).unwrap_or(u32::MAX);
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
    pub(super) fn answered(&mut self, listing: &Listing) -> Result<Option<Outcome>, ManagerError> {
        let (Some(intent), Some(told)) = (self.intent.take(), self.told.take()) else {
            return Ok(None);
        };
        let refspec = format!("+refs/heads/{}:{HISTORY}", listing.branch);
        for depth in DEPTHS {
            let remote = &self.manager.remote;
            let tip = std::slice::from_ref(&listing.tip);
            let tip = match self.cache.fetch_seen(remote, tip, depth, Extent::Message) {
                true => Some(listing.tip.clone()),
                false => {
                    self.cache
                        .fetch_extent(remote, &[&refspec], Some(depth), Extent::Message)?;
                    self.cache.reference_tip(HISTORY)?
                }
            };
            let Some(tip) = tip else {
                return Ok(None);
            };
            let history = self.cache.history(&tip);
            let history = history.collect::<Result<Vec<_>, _>>()?;
            let found = history.iter().find_map(|(commit, info)| {
                Some((commit, read_message(&info.message, &intent.id)?))
            });
            if let Some((commit, (action, environment))) = found {
                let outcome = self.outcome_of_another(&told, action, environment, commit);
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

    /// Takes the own intent back, if there is one; `false` if it was gone already.
    pub(super) fn withdraw(&mut self) -> Result<bool, ManagerError> {
        let Some(intent) = &self.intent else {
            return Ok(true);
        };
        let is_taken_back = intent.withdraw(self.cache, &self.manager.remote)?;
        if is_taken_back {
            self.intent = None;
        }
        Ok(is_taken_back)
    }

    /// As [`Writer::withdraw`], and tells what another writer made of it meanwhile.
    pub(super) fn withdraw_or_tell(&mut self) -> Result<Withdrawal, ManagerError> {
        if self.withdraw()? {
            return Ok(Withdrawal::TakenBack);
        }
        let listing = self.manager.listing()?;
        Ok(match self.answered(&listing)? {
            Some(outcome) => Withdrawal::CarriedOut(outcome),
            None => Withdrawal::Dropped,
        })
    }

    /// What is told of a wish that another writer carried out: what it came to when it was decided
    /// last, as far as the commit does not tell otherwise.
    fn outcome_of_another(
        &self,
        told: &Answer,
        action: OutcomeAction,
        environment: String,
        commit: &CommitId,
    ) -> Outcome {
        let mut outcome = told.outcome.clone();
        let pull_request = told.request.wish.word.pull_request();
        if let (false, Some(service)) = (
            outcome.environment.as_ref() == Some(&environment),
            &outcome.service,
        ) {
            let name = environment_name(pull_request, &EnvironmentId::given(&environment));
            outcome.path = Some(environment_path(service, &format!("{name}.tf")));
            let files = self.cache.remote_tree(commit, &self.manager.remote);
            outcome.url = files
                .ok()
                .and_then(|files| service_of(&files, service).ok().flatten())
                .and_then(|service| service.url(&environment, Some(pull_request)).ok().flatten());
        }
        if outcome.action != action {
            outcome.reason = None;
            outcome.over_limit = false;
        }
        outcome.action = action;
        outcome.environment = Some(environment).filter(|id| !id.is_empty());
        outcome.commit = Some(commit.to_string());
        outcome
    }
}
