//! The policies that judge a stack, read from recorded or desired objects.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::policy::{Engine, Policy, PolicyError, PolicyType};
use crate::problem::Problem;
use crate::stack::Object;

/// The policies of one type that judge a stack: those attached to it, and those that attach
/// themselves by `autoattach:` and one of its labels.
pub(super) fn attached(
    objects: &[Object],
    stack: &str,
    labels: &[String],
    kind: PolicyType,
) -> Result<Vec<Policy>, Problem> {
    Policies::of(objects)
        .chosen(stack, labels, kind)?
        .into_iter()
        .map(|policy| read_policy(policy).map_err(|error| problem_of(policy, &error)))
        .collect()
}

/// The policies among objects, to be asked about one stack after another; each is read once.
pub(super) struct Policies<'a> {
    policies: Vec<&'a Object>,
    /// Their places, by their ids.
    places: BTreeMap<&'a str, usize>,
    /// The places of those that attach themselves.
    own_accord: Vec<usize>,
    /// The ids of those attached to a stack, by its id.
    attachments: BTreeMap<&'a str, BTreeSet<&'a str>>,
    read: RefCell<BTreeMap<&'a str, Rc<Policy>>>,
}

impl<'a> Policies<'a> {
    pub(super) fn of(objects: &'a [Object]) -> Self {
        let mut policies = Self {
            policies: Vec::new(),
            places: BTreeMap::new(),
            own_accord: Vec::new(),
            attachments: BTreeMap::new(),
            read: RefCell::default(),
        };
        for object in objects {
            match object.kind.as_str() {
                "spacelift_policy" => {
                    let place = policies.policies.len();
                    policies.policies.push(object);
                    policies.places.insert(object.id(), place);
                    if autoattached(object).next().is_some() {
                        policies.own_accord.push(place);
                    }
                }
                "spacelift_policy_attachment" => {
                    let attached = policies.attachments.entry(object.text("stack_id"));
                    attached.or_default().insert(object.text("policy_id"));
                }
                _ => {}
            }
        }
        policies
    }

    /// As [`attached`].
    pub(super) fn attached(
        &self,
        stack: &str,
        labels: &[String],
        kind: PolicyType,
    ) -> Result<Vec<Rc<Policy>>, Problem> {
        let read = |policy: &'a Object| {
            if let Some(policy) = self.read.borrow().get(policy.id()) {
                return Ok(Rc::clone(policy));
            }
            let read = read_policy(policy).map_err(|error| problem_of(policy, &error))?;
            let read = Rc::new(read);
            self.read.borrow_mut().insert(policy.id(), Rc::clone(&read));
            Ok(read)
        };
        let chosen = self.chosen(stack, labels, kind)?;
        chosen.into_iter().map(read).collect()
    }

    fn chosen(
        &self,
        stack: &str,
        labels: &[String],
        kind: PolicyType,
    ) -> Result<Vec<&'a Object>, Problem> {
        let mut chosen = BTreeSet::new();
        for id in self.attachments.get(stack).into_iter().flatten() {
            let place = self.places.get(id).copied().ok_or_else(|| {
                Problem::error(format!(
                    "policy {id} is attached to stack {stack} but cannot be used"
                ))
            })?;
            chosen.insert(place);
        }
        let own_accord = self.own_accord.iter().copied();
        chosen.extend(own_accord.filter(|place| attaches_itself(self.policies[*place], labels)));
        let is_of_kind = |policy: &&Object| matches!(policy.text("type").parse::<PolicyType>(), Ok(own) if own == kind);
        let chosen = chosen.into_iter().map(|place| self.policies[place]);
        Ok(chosen.filter(is_of_kind).collect())
    }
}

/// Whether a label of the policy's, or context's, attaches it to stacks with one of `labels`.
pub(super) fn attaches_itself(policy: &Object, labels: &[String]) -> bool {
    autoattached(policy).any(|wanted| wanted == "*" || labels.iter().any(|label| label == wanted))
}

/// The labels of the stacks that it attaches itself to.
fn autoattached(policy: &Object) -> impl Iterator<Item = &str> {
    let own = policy
        .attributes
        .get("labels")
        .and_then(serde_json::Value::as_array);
    own.into_iter()
        .flatten()
        .filter_map(|label| label.as_str()?.strip_prefix("autoattach:"))
}

/// Reads a recorded or desired `spacelift_policy`.
pub(super) fn read_policy(policy: &Object) -> Result<Policy, PolicyError> {
    // Spacelift's default engine is the first.
    let engine = match policy.text("engine_type") {
        "" => Engine::default(),
        word => word.parse()?,
    };
    Policy::read(
        policy.id(),
        policy.text("type").parse()?,
        engine,
        policy.text("body"),
    )
}

/// The error, where the policy stands.
pub(super) fn problem_of(policy: &Object, error: &PolicyError) -> Problem {
    Problem::error(error.to_string()).in_file(policy.origin.file.clone())
}
