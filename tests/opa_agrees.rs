//! OPA is the judge: each policy of the corpus, on several inputs, evaluated by it and by dayfly.
//!
//! Plain `cargo test` holds dayfly against the answers that OPA gave when they were last recorded;
//! `scripts/opa-agrees` asks OPA itself, and `scripts/opa-agrees --record` keeps what it says.
#![expect(clippy::disallowed_methods, reason = "a test runs the real opa")]
#![expect(
    clippy::unwrap_used,
    reason = "what is written here is known to be right"
)]

#[path = "opa/chance.rs"]
mod chance;
#[path = "opa/corpus.rs"]
mod corpus;
#[path = "opa/inputs.rs"]
mod inputs;
#[path = "opa/judge.rs"]
mod judge;
#[path = "opa/parts.rs"]
mod parts;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use corpus::{Case, cases, fixtures};
use judge::{find_opa, said_by_dayfly, said_by_opa, same};

type Answers = BTreeMap<String, Value>;

fn recorded() -> Result<Answers> {
    let path = fixtures().join("answers.json");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

/// How many of the cases dayfly and `opa` agree on; the differences are an error.
fn agreement(cases: &[Case], opa: impl Fn(&Case) -> Result<Value>) -> Result<String> {
    let mut differences = Vec::new();
    for case in cases {
        let (ours, theirs) = (said_by_dayfly(case), opa(case)?);
        if !same(&ours, &theirs) {
            differences.push(format!("{}\n  dayfly {ours}\n  opa    {theirs}", case.name));
        }
    }
    let agreed = cases.len() - differences.len();
    ensure!(
        differences.is_empty(),
        "{agreed} of {} agree\n{}",
        cases.len(),
        differences.join("\n")
    );
    Ok(format!("{agreed} of {} agree", cases.len()))
}

#[test]
fn the_corpus_is_as_large_as_it_should_be() -> Result<()> {
    let cases = cases()?;
    for kind in dayfly::policy::PolicyType::ALL {
        for engine in [
            dayfly::policy::Engine::RegoV0,
            dayfly::policy::Engine::RegoV1,
        ] {
            let count = cases
                .iter()
                .filter(|case| case.kind == kind && case.engine == engine)
                .count();
            ensure!(count >= 5, "{kind} {engine:?}: only {count}");
        }
    }
    ensure!(cases.len() >= 150, "only {}", cases.len());
    Ok(())
}

#[test]
fn dayfly_agrees_with_what_opa_said() -> Result<()> {
    let cases = cases()?;
    let recorded = recorded()?;
    ensure!(
        recorded.len() == cases.len(),
        "{} answers for {} cases: run scripts/opa-agrees --record",
        recorded.len(),
        cases.len()
    );
    let agreed = agreement(&cases, |case| {
        let answer = recorded.get(&case.key()).cloned();
        answer.with_context(|| {
            format!(
                "{} is not recorded: run scripts/opa-agrees --record",
                case.name
            )
        })
    })?;
    println!("{agreed} with what is recorded");
    Ok(())
}

#[test]
#[ignore = "needs opa: scripts/opa-agrees"]
fn dayfly_agrees_with_opa_itself() -> Result<()> {
    find_opa()?;
    println!("{}", agreement(&cases()?, said_by_opa)?);
    Ok(())
}

/// `SEED=7` makes other expressions than those of every run, and `COUNT=5000` more of them.
#[test]
#[ignore = "needs opa: scripts/opa-agrees"]
fn expressions_by_chance_agree_with_opa_itself() -> Result<()> {
    find_opa()?;
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text}")),
        Err(_) => Ok(default),
    };
    let seed = number("SEED", 1)?;
    let count = usize::try_from(number("COUNT", 1000)?)?;
    let (compared, refused, differences) = chance::differences(seed, count)?;
    ensure!(
        differences.is_empty(),
        "{}\n{} of {compared} by chance agree (SEED={seed})",
        differences.join("\n"),
        compared - differences.len()
    );
    ensure!(
        compared >= count / 3,
        "only {compared} of {count} have a value to compare"
    );
    println!("{compared} of {compared} by chance agree, {refused} are refused by dayfly alone");
    Ok(())
}

/// Whether the text calls the function, not one whose name ends alike.
fn calls(text: &str, name: &str) -> bool {
    let within = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    text.match_indices(&format!("{name}("))
        .any(|(start, _)| !text.as_bytes()[..start].last().is_some_and(within))
}

#[test]
fn each_builtin_that_a_policy_may_call_has_a_case() -> Result<()> {
    let cases = cases()?;
    let (v0, v1) = (
        dayfly::policy::builtin_names(dayfly::policy::Engine::RegoV0),
        dayfly::policy::builtin_names(dayfly::policy::Engine::RegoV1),
    );
    let mut names: Vec<&String> = v0.iter().chain(&v1).collect();
    names.sort();
    names.dedup();
    let is_open = |name: &&String| !cases.iter().any(|case| calls(&case.policy, name));
    let open: Vec<&str> = names
        .into_iter()
        .filter(is_open)
        .map(String::as_str)
        .collect();
    ensure!(open.is_empty(), "no case calls {}", open.join(", "));
    Ok(())
}

#[test]
#[ignore = "writes the recorded answers: scripts/opa-agrees --record"]
fn record_what_opa_says() -> Result<()> {
    find_opa()?;
    let mut answers = Answers::new();
    let mut refused = Vec::new();
    for case in cases()? {
        match said_by_opa(&case) {
            Ok(answer) => drop(answers.insert(case.key(), answer)),
            Err(error) => refused.push(format!("{error:#}")),
        }
    }
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    let mut text = serde_json::to_string_pretty(&answers)?;
    text.push('\n');
    std::fs::write(fixtures().join("answers.json"), text)?;
    println!("{} answers recorded", answers.len());
    Ok(())
}
