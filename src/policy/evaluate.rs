//! A policy made ready once, and asked any number of times.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::panic;
use std::sync::Once;
use std::time::{Duration, Instant};

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{PolicyLengthConfig, Value};
use serde::Serialize;

use super::builtins;
use super::contract::{self, RESULT, Shape};
use super::convert::value_of;
use super::error::{FailureReason, PolicyError, PolicyFailure};
use super::kind::{Engine, PolicyType};
use super::prelude;
use super::source;
use crate::problem::Problem;

/// How many steps of the engine go between two looks at the time.
pub(super) const STEPS_BETWEEN_LOOKS: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);
const MAX_REWRITTEN_COLUMNS: NonZeroU32 = NonZeroU32::MIN.saturating_add(1 << 17);

/// A policy that has been read, found sound and made ready.
#[derive(Clone, Debug)]
pub struct Policy {
    name: String,
    kind: PolicyType,
    prelude: String,
    /// The names of all rules that have values, the prelude's too.
    rules: BTreeSet<String>,
    engine: regorus::Engine,
}

/// What one policy says: the value of each rule of the contract.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Opinion {
    pub policy: String,
    #[serde(flatten)]
    pub rules: Rules,
}

/// The rules of the contract by name, each with a value of the contract's type.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rules {
    pub rules: BTreeMap<&'static str, RuleValue>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RuleValue {
    Boolean(bool),
    /// None where the rule is undefined or empty.
    Text(Option<String>),
    Texts(BTreeSet<String>),
    /// Each once, in the engine's order.
    Objects(Vec<serde_json::Value>),
}

impl Rules {
    /// Whether the boolean rule is true.
    pub fn is_true(&self, rule: &str) -> bool {
        matches!(self.rules.get(rule), Some(RuleValue::Boolean(true)))
    }

    /// The string of the rule; none where it is undefined or empty.
    pub fn text(&self, rule: &str) -> Option<&str> {
        match self.rules.get(rule) {
            Some(RuleValue::Text(text)) => text.as_deref(),
            _ => None,
        }
    }

    /// The strings in the rule's set.
    pub fn texts(&self, rule: &str) -> impl Iterator<Item = &String> {
        let texts = match self.rules.get(rule) {
            Some(RuleValue::Texts(texts)) => Some(texts),
            _ => None,
        };
        texts.into_iter().flatten()
    }

    /// The objects in the rule's set.
    pub fn objects(&self, rule: &str) -> &[serde_json::Value] {
        match self.rules.get(rule) {
            Some(RuleValue::Objects(objects)) => objects,
            _ => &[],
        }
    }
}

impl Policy {
    /// The policy `name` of the text `body`. Everything that is wrong in it is in the error: its
    /// syntax, another package than `spacelift`, forbidden and unknown functions, rules of another
    /// type than the contract's.
    pub fn read(
        name: &str,
        kind: PolicyType,
        engine: Engine,
        body: &str,
    ) -> Result<Self, PolicyError> {
        let invalid = |problems: Vec<Problem>| PolicyError::Invalid {
            policy: name.to_owned(),
            problems,
        };
        let module = source::parse(name, engine, body).map_err(|problem| invalid(vec![problem]))?;
        let problems = source::problems(kind, &module);
        if !problems.is_empty() {
            return Err(invalid(problems));
        }
        let prelude = prelude::prelude(kind, &module);
        let mut names = source::rule_names(&module);
        names.extend(prelude::names(kind).map(str::to_owned));
        names.insert(RESULT.to_owned());
        let text = source::for_engine(name, body, &module, &names)
            .map_err(|problem| invalid(vec![problem]))?;
        let engine = prepare(name, source::engine_of(&module), &text, &prelude)
            .map_err(|message| invalid(vec![source::problem_of(name, &message)]))?;
        Ok(Self {
            name: name.to_owned(),
            kind,
            rules: source::valued_rules(&module)
                .into_iter()
                .chain(contract::defined(kind).map(str::to_owned))
                .collect(),
            prelude,
            engine,
        })
    }

    /// The type whose rules the text defines, where it defines those of one type only: a name of
    /// the contract's that several types share tells nothing.
    pub fn likely_type(
        name: &str,
        engine: Engine,
        body: &str,
    ) -> Result<Option<PolicyType>, PolicyError> {
        let module = source::parse(name, engine, body).map_err(|problem| PolicyError::Invalid {
            policy: name.to_owned(),
            problems: vec![problem],
        })?;
        Ok(contract::type_of(&source::rule_names(&module)))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> PolicyType {
        self.kind
    }

    /// What the policy says of any input, such as one that was kept.
    pub fn evaluate(&self, input: &serde_json::Value) -> Result<Opinion, PolicyFailure> {
        let input = self.converted(input)?;
        self.ask(&input, self.kind.time_limit())
    }

    fn converted(&self, input: &serde_json::Value) -> Result<Value, PolicyFailure> {
        value_of(input).map_err(|error| PolicyFailure {
            policy: self.name.clone(),
            reason: FailureReason::Failed,
            message: format!("the input cannot be judged: {error}"),
        })
    }

    /// What joins the policy's text, in Rego v1: with it OPA comes to the same answers.
    pub fn prelude(&self) -> &str {
        &self.prelude
    }

    /// The value of every rule by its name, those that are not the contract's too.
    pub fn document(&self, input: &serde_json::Value) -> Result<serde_json::Value, PolicyFailure> {
        let fail = |message: String| PolicyFailure {
            policy: self.name.clone(),
            reason: FailureReason::Failed,
            message: source::problem_of(&self.name, &message).message,
        };
        let mut engine = self.engine.clone();
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: self.kind.time_limit(),
            check_interval: STEPS_BETWEEN_LOOKS,
        });
        engine.set_input(self.converted(input)?);
        let mut values = serde_json::Map::new();
        for name in &self.rules {
            let query = format!("data.{}.{name}", source::PACKAGE);
            let value = guarded(|| {
                let results = engine
                    .eval_query(query, false)
                    .map_err(|error| error.to_string())?;
                let first = results.result.into_iter().next();
                let first = first.and_then(|result| result.expressions.into_iter().next());
                Ok(first.map_or(Value::Undefined, |expression| expression.value))
            });
            let value = value.map_err(fail)?;
            if value != Value::Undefined {
                let value = serde_json::to_value(value).map_err(|error| fail(error.to_string()))?;
                values.insert(name.clone(), value);
            }
        }
        Ok(values.into())
    }

    /// As [`Policy::evaluate`], with the input converted before and a time limit.
    pub(super) fn ask(&self, input: &Value, limit: Duration) -> Result<Opinion, PolicyFailure> {
        let fail = |reason, message| {
            Err(PolicyFailure {
                policy: self.name.clone(),
                reason,
                message,
            })
        };
        let too_long = || format!("it took more than {} s", limit.as_secs_f32());
        let mut engine = self.engine.clone();
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit,
            check_interval: STEPS_BETWEEN_LOOKS,
        });
        engine.set_input(input.clone());
        let started = Instant::now();
        let rule = format!("data.{}.{RESULT}", source::PACKAGE);
        let result = guarded(|| engine.eval_rule(rule).map_err(|error| error.to_string()));
        // The engine may lose its own alarm, where a function has another clause to try.
        if started.elapsed() > limit {
            return fail(FailureReason::TimedOut, too_long());
        }
        match result {
            Ok(result) => match read_rules(self.kind, &result) {
                Ok(rules) => Ok(Opinion {
                    policy: self.name.clone(),
                    rules,
                }),
                Err(message) => fail(FailureReason::WrongType, message),
            },
            Err(error) => {
                let problem = source::problem_of(&self.name, &error);
                let place = problem
                    .line
                    .map_or_else(String::new, |line| format!("line {line}: "));
                fail(FailureReason::Failed, format!("{place}{}", problem.message))
            }
        }
    }
}

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// The engine has builtins that break off on odd arguments; a policy that meets one fails. What is printed
/// where a program breaks off is printed of no policy.
pub(super) fn guarded<T>(evaluate: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            if !IS_GUARDED.get() {
                print(what);
            }
        }));
    });
    let was_guarded = IS_GUARDED.replace(true);
    let ended = panic::catch_unwind(panic::AssertUnwindSafe(evaluate));
    IS_GUARDED.set(was_guarded);
    ended.unwrap_or_else(|_| Err("the engine broke off".to_owned()))
}

/// An engine that evaluates as OPA does, without a policy, for modules of these texts.
pub(super) fn new_engine(texts: &[&str]) -> Result<regorus::Engine, String> {
    let mut engine = regorus::Engine::new();
    engine.set_strict_builtin_errors(false);
    // Otherwise `print` writes to the terminal.
    engine.set_gather_prints(true);
    // What was read is within the engine's own limit; rewritten lines are longer.
    engine.set_policy_length_config(PolicyLengthConfig {
        max_col: MAX_REWRITTEN_COLUMNS,
        ..PolicyLengthConfig::default()
    });
    builtins::add_to(&mut engine, texts)?;
    Ok(engine)
}

/// An engine with the policy and its prelude, ready to be cloned and asked.
fn prepare(
    name: &str,
    version: Engine,
    body: &str,
    prelude: &str,
) -> Result<regorus::Engine, String> {
    let mut engine = new_engine(&[body, prelude])?;
    let message = |error: &dyn std::fmt::Display| error.to_string();
    engine.set_rego_v0(version == Engine::RegoV0);
    engine
        .add_policy(name.to_owned(), body.to_owned())
        .map_err(|error| message(&error))?;
    engine.set_rego_v0(false);
    // The engine, told the version, would take `v1` of the import for a name.
    let prelude = prelude.replacen("import rego.v1\n", "\n", 1);
    engine
        .add_policy("prelude".to_owned(), prelude)
        .map_err(|error| message(&error))?;
    // Any question makes the engine schedule and check all modules.
    engine
        .eval_query("true".to_owned(), false)
        .map_err(|error| message(&error))?;
    Ok(engine)
}

fn read_rules(kind: PolicyType, result: &Value) -> Result<Rules, String> {
    let mut rules = BTreeMap::new();
    for (rule, shape) in contract::rules(kind) {
        let wrong = || format!("the rule {rule} is not {}", shape.description());
        let Value::Object(found) = result else {
            return Err(wrong());
        };
        let value = match found.get(&(*rule).into()) {
            Some(value) => read_rule(*shape, value).ok_or_else(wrong)?,
            // The policy does not define it.
            None => nothing(*shape),
        };
        rules.insert(*rule, value);
    }
    Ok(Rules { rules })
}

/// What a rule gives that the policy does not define.
fn nothing(shape: Shape) -> RuleValue {
    match shape {
        Shape::Boolean => RuleValue::Boolean(false),
        Shape::Text => RuleValue::Text(None),
        Shape::Texts => RuleValue::Texts(BTreeSet::new()),
        Shape::Objects => RuleValue::Objects(Vec::new()),
    }
}

fn read_rule(shape: Shape, value: &Value) -> Option<RuleValue> {
    match (shape, value) {
        (Shape::Boolean, Value::Bool(value)) => Some(RuleValue::Boolean(*value)),
        // The prelude puts a string in a set, which is empty where the rule is undefined.
        (Shape::Text, Value::Set(members)) => match members.iter().next() {
            None => Some(RuleValue::Text(None)),
            Some(Value::String(text)) => Some(RuleValue::Text(
                (!text.is_empty()).then(|| text.to_string()),
            )),
            Some(_) => None,
        },
        (Shape::Texts, Value::Set(members)) => members
            .iter()
            .map(|member| match member {
                Value::String(text) => Some(text.to_string()),
                _ => None,
            })
            .collect::<Option<_>>()
            .map(RuleValue::Texts),
        (Shape::Objects, Value::Set(members)) => members
            .iter()
            .map(|member| match member {
                Value::Object(_) => serde_json::to_value(member).ok(),
                _ => None,
            })
            .collect::<Option<_>>()
            .map(RuleValue::Objects),
        _ => None,
    }
}
