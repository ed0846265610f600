//! All that is wrong in a repository, each mistake once.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use indexmap::map::Entry;

use crate::problem::Problem;

/// Collects problems; the same one found for many environments stays one.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: IndexMap<Place, Found>,
}

type Place = (Option<String>, Option<usize>, Option<usize>, String);

#[derive(Debug)]
struct Found {
    problem: Problem,
    environments: BTreeSet<String>,
}

impl Findings {
    pub(super) fn add(&mut self, problem: Problem, environment: Option<&str>) {
        let place = (
            problem.file.clone(),
            problem.line,
            problem.column,
            problem.message.clone(),
        );
        let found = self.found.entry(place).or_insert_with(|| Found {
            problem,
            environments: BTreeSet::new(),
        });
        if let Some(environment) = environment
            && !found.environments.contains(environment)
        {
            found.environments.insert(environment.to_owned());
        }
    }

    /// Adds what was found later.
    pub(super) fn extend(&mut self, later: Self) {
        for (place, found) in later.found {
            match self.found.entry(place) {
                Entry::Occupied(known) => known.into_mut().environments.extend(found.environments),
                Entry::Vacant(open) => drop(open.insert(found)),
            }
        }
    }

    /// The environments for which anything was found, some of them several times.
    pub(super) fn environments(&self) -> impl Iterator<Item = &str> {
        let found = self.found.values().flat_map(|found| &found.environments);
        found.map(String::as_str)
    }

    /// The files in which anything was found.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let problems = self.found.values().map(|found| &found.problem);
        problems.filter_map(|problem| problem.file.as_deref())
    }

    /// The problems by file and line.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.found.into_values().map(Found::into_problem).collect();
        problems.sort_by(|left, right| {
            let key = |problem: &Problem| (problem.file.clone(), problem.line, problem.column);
            key(left)
                .cmp(&key(right))
                .then_with(|| left.message.cmp(&right.message))
        });
        problems
    }
}

impl Found {
    fn into_problem(self) -> Problem {
        let mut problem = self.problem;
        let Some(first) = self.environments.first() else {
            return problem;
        };
        let where_ = match self.environments.len() {
            1 => format!("found for {first}"),
            2 => format!("found for {first} and one other environment"),
            count => format!("found for {first} and {} other environments", count - 1),
        };
        problem.hint = Some(match problem.hint {
            Some(hint) => format!("{hint}; {where_}"),
            None => where_,
        });
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::Findings;
    use crate::problem::Problem;

    #[test]
    fn one_mistake_of_many_environments_is_one_problem() {
        let mut findings = Findings::default();
        for environment in ["b", "a", "c", "a"] {
            findings.add(Problem::error("wrong").in_file("x.tf"), Some(environment));
        }
        let problems = findings.into_problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(
            problems[0].hint.as_deref(),
            Some("found for a and 2 other environments")
        );
    }
}
