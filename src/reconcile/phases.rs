//! The variables of a stack in one phase of its runs: `ro_` and `wo_` before a name say in which, and
//! a value may refer to others by `${NAME}`, both as on Spacelift.

use std::collections::{BTreeMap, BTreeSet};

/// Whether real things change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Read,
    Write,
}

/// It holds secrets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Variables {
    pub(super) values: BTreeMap<String, String>,
    /// The values of those that are secret.
    pub(super) secrets: Vec<String>,
}

/// A value that cannot be told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReferenceError {
    #[error("variable {name} refers to ${{{to}}}, which the stack does not have")]
    Unknown { name: String, to: String },
    #[error("variable {name} refers to ${{{to}}}, which leads back to it")]
    Circle { name: String, to: String },
    #[error("variable {name} is not write-only and refers to ${{{to}}}, which is")]
    Secret { name: String, to: String },
}

struct Stack<'a> {
    /// Values and whether they are secret, by the name that they have in the phase.
    own: BTreeMap<&'a str, (&'a str, bool)>,
    supplied: &'a BTreeMap<String, String>,
}

/// The variables that a run has in `phase`. `secret` names those that are write-only.
pub(super) fn variables(
    phase: Phase,
    all: &BTreeMap<String, String>,
    secret: &BTreeSet<&str>,
    supplied: &BTreeMap<String, String>,
) -> Result<Variables, ReferenceError> {
    let of_phase = |name: &str| match phase {
        Phase::Read => (
            name.strip_prefix("ro_").map(str::len),
            name.starts_with("wo_"),
        ),
        Phase::Write => (
            name.strip_prefix("wo_").map(str::len),
            name.starts_with("ro_"),
        ),
    };
    let mut own = BTreeMap::new();
    // What is said for the phase goes before what is said for all.
    for is_said in [false, true] {
        for (name, value) in all {
            let (said, is_other) = of_phase(name);
            if !is_other && said.is_some() == is_said {
                let short = said.map_or(name.as_str(), |length| &name[name.len() - length..]);
                own.insert(short, (value.as_str(), secret.contains(name.as_str())));
            }
        }
    }
    let stack = Stack { own, supplied };
    let mut variables = Variables::default();
    for (name, (_, is_secret)) in &stack.own {
        let value = stack.value(name, &mut Vec::new())?;
        if *is_secret {
            variables.secrets.push(value.clone());
        }
        variables.values.insert((*name).to_owned(), value);
    }
    Ok(variables)
}

impl<'a> Stack<'a> {
    /// The value with all that it refers to; `way` are the variables that lead to it.
    fn value(&self, name: &'a str, way: &mut Vec<&'a str>) -> Result<String, ReferenceError> {
        let Some((text, is_secret)) = self.own.get(name) else {
            return Ok(self.supplied.get(name).cloned().unwrap_or_default());
        };
        way.push(name);
        let mut value = String::with_capacity(text.len());
        let mut rest = *text;
        while let Some((before, reference)) = next_reference(rest) {
            value.push_str(before);
            rest = &rest[before.len() + reference.len() + "${}".len()..];
            let told = |to: &str| (name.to_owned(), to.to_owned());
            let is_shared = self.supplied.contains_key(reference);
            match self.own.get(reference) {
                None if is_shared => {}
                None => {
                    let (name, to) = told(reference);
                    return Err(ReferenceError::Unknown { name, to });
                }
                Some((_, true)) if !is_secret => {
                    let (name, to) = told(reference);
                    return Err(ReferenceError::Secret { name, to });
                }
                Some(_) if way.contains(&reference) => {
                    let (name, to) = told(reference);
                    return Err(ReferenceError::Circle { name, to });
                }
                Some(_) => {}
            }
            value.push_str(&self.value(reference, way)?);
        }
        value.push_str(rest);
        way.pop();
        Ok(value)
    }
}

/// What stands before the first `${NAME}`, and the name. Whatever else begins with `${` is text.
fn next_reference(text: &str) -> Option<(&str, &str)> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let places = text.match_indices("${");
    places.into_iter().find_map(|(place, _)| {
        let (name, _) = text[place + 2..].split_once('}')?;
        let is_name =
            !name.is_empty() && name.bytes().all(is_letter) && !name.as_bytes()[0].is_ascii_digit();
        is_name.then(|| (&text[..place], name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(phase: Phase, all: &[(&str, &str)], secret: &[&str]) -> Result<Vec<String>, String> {
        let all = all
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let supplied = [("TF_VAR_spacelift_run_id".to_owned(), "12".to_owned())].into();
        let secret = secret.iter().copied().collect();
        let found = variables(phase, &all.collect(), &secret, &supplied);
        let found = found.map_err(|error| error.to_string())?;
        let values = found
            .values
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let secrets = found.secrets.iter().map(|value| format!("secret {value}"));
        Ok(values.chain(secrets).collect())
    }

    #[test]
    fn each_phase_has_its_own() {
        let all = [
            ("A", "a"),
            ("TOKEN", "t"),
            ("ro_TOKEN", "r"),
            ("wo_TOKEN", "w"),
            ("wo_B", "b"),
        ];
        let secret = ["wo_TOKEN", "wo_B"];
        assert_eq!(
            told(Phase::Read, &all, &secret).unwrap(),
            ["A=a", "TOKEN=r"]
        );
        assert_eq!(
            told(Phase::Write, &all, &secret).unwrap(),
            ["A=a", "B=b", "TOKEN=w", "secret b", "secret w"]
        );
    }

    #[test]
    fn values_refer_to_others() {
        let all = [
            ("FOO", "bar"),
            ("BAZ", "${FOO}-baz-${QUX}"),
            (
                "QUX",
                "${TF_VAR_spacelift_run_id} ${aws:username} ${ $FOO ${",
            ),
        ];
        assert_eq!(
            told(Phase::Read, &all, &[]).unwrap(),
            [
                "BAZ=bar-baz-12 ${aws:username} ${ $FOO ${",
                "FOO=bar",
                "QUX=12 ${aws:username} ${ $FOO ${"
            ]
        );
        let secret = [("PASS", "p"), ("URL", "u:${PASS}@h")];
        assert_eq!(
            told(Phase::Read, &secret, &["PASS", "URL"]).unwrap(),
            ["PASS=p", "URL=u:p@h", "secret p", "secret u:p@h"]
        );
        // The name of a branch may say it, and the log would show it.
        assert_eq!(
            told(Phase::Read, &secret, &["PASS"]).unwrap_err(),
            "variable URL is not write-only and refers to ${PASS}, which is"
        );
        assert_eq!(
            told(Phase::Read, &[("A", "${B}")], &[]).unwrap_err(),
            "variable A refers to ${B}, which the stack does not have"
        );
        assert_eq!(
            told(Phase::Read, &[("A", "${B}"), ("B", "${A}")], &[]).unwrap_err(),
            "variable B refers to ${A}, which leads back to it"
        );
        assert_eq!(
            told(Phase::Read, &[("A", "${wo_B}"), ("wo_B", "x")], &[]).unwrap_err(),
            "variable A refers to ${wo_B}, which the stack does not have"
        );
    }
}
