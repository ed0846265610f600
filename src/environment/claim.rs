//! What an environment file claims: an id, a pull request and names that are nobody else's, and, for
//! one that stood before, its own still (invariant 6).

use super::{EnvironmentFile, EnvironmentId, environment_name};
use crate::config::ServiceRules;
use crate::event::PullRequestId;

/// A file whose claims are judged, and what it stands beside.
pub struct Claim<'a> {
    pub file: &'a EnvironmentFile,
    /// Whether nothing stands at its path where the range begins.
    pub is_new: bool,
    /// What stood at its path before, wherever it could be read.
    pub before: &'a [EnvironmentFile],
    /// All files of the same tree, in all services.
    pub others: &'a [&'a EnvironmentFile],
    /// All files that stood where the range begins.
    pub earlier: &'a [&'a EnvironmentFile],
    /// The rules of its service.
    pub rules: &'a ServiceRules,
}

impl Claim<'_> {
    /// What is wrong with it; `None` if nothing is.
    pub fn fault(&self) -> Option<String> {
        self.changed()
            .or_else(|| self.doubled())
            .or_else(|| self.misnamed())
    }

    /// What stood before stays whose and what it is.
    fn changed(&self) -> Option<String> {
        let file = self.file;
        for before in self.before {
            if let Some(id) = before
                .environment
                .as_ref()
                .filter(|_| before.environment != file.environment)
            {
                return Some(format!(
                    "its id was {id}, which an environment keeps for life"
                ));
            }
            let Some(whose) = &before.pull_request else {
                continue;
            };
            let is_same_number =
                before.repository_id.is_none() || before.repository_id == file.repository_id;
            let own = file
                .pull_request
                .as_ref()
                .filter(|own| own.number == whose.number);
            let is_same = own.is_some_and(|own| self.is_same_repository(before, whose, own));
            if !is_same_number || !is_same {
                return Some(format!("it was the environment of {whose}"));
            }
        }
        let own = file.pull_request.as_ref()?;
        let is_old = self
            .before
            .iter()
            .any(|before| before.pull_request.as_ref() == Some(own));
        let is_taken = is_old || self.rules.source(&own.repository).is_some();
        (!is_taken).then(|| format!("its service takes no pull requests of {}", own.repository))
    }

    /// A name may change with a renaming: by GitHub's number of the repository, or by `former_names`.
    fn is_same_repository(
        &self,
        before: &EnvironmentFile,
        whose: &PullRequestId,
        own: &PullRequestId,
    ) -> bool {
        let source = |id: &PullRequestId| Some(&self.rules.source(&id.repository)?.repository);
        whose == own
            || before.repository_id.is_some()
            || source(whose).is_some() && source(whose) == source(own)
    }

    /// What was so before is no news: a person may have put it there.
    fn doubled(&self) -> Option<String> {
        let file = self.file;
        let had = |is: &dyn Fn(&EnvironmentFile) -> bool| self.before.iter().any(is);
        let others = || self.others.iter().filter(|other| other.path != file.path);
        let told = |what: String, other: &&EnvironmentFile| {
            format!("its {what} is that of {}", other.path)
        };
        if self.is_new {
            let directory = |path: &str| {
                path.rsplit_once('/')
                    .map_or("", |(start, _)| start)
                    .to_owned()
            };
            let is_alike = |other: &&&EnvironmentFile| {
                let is_beside = directory(&other.path) == directory(&file.path);
                other.path.eq_ignore_ascii_case(&file.path)
                    || is_beside && other.name.eq_ignore_ascii_case(&file.name)
            };
            if let Some(other) = others().find(is_alike) {
                return Some(told("name".to_owned(), other));
            }
        }
        if let Some(id) = &file.environment
            && !had(&|before| before.environment.as_ref() == Some(id))
        {
            let has_it = |other: &&&EnvironmentFile| {
                let theirs = other.environment.as_deref();
                theirs.is_some_and(|theirs| theirs.eq_ignore_ascii_case(id))
            };
            if let Some(other) = others().find(has_it) {
                return Some(told(format!("id {id}"), other));
            }
            // What is built under an id, and its state, must not become another pull request's.
            let is_own = |other: &EnvironmentFile| {
                let own = file.pull_request.as_ref();
                own.is_some_and(|own| other.belongs_to(own, file.repository_id))
            };
            let earlier = self.earlier.iter().filter(|other| other.path != file.path);
            if let Some(other) = earlier.filter(|other| !is_own(other)).find(has_it) {
                return Some(format!("its id {id} was that of {}", other.path));
            }
        }
        if let Some(own) = &file.pull_request
            && !had(&|before| {
                before.pull_request.as_ref() == Some(own)
                    && before.repository_id == file.repository_id
            })
            && let Some(other) = others().find(|other| other.belongs_to(own, file.repository_id))
        {
            return Some(told("pull request".to_owned(), other));
        }
        None
    }

    /// Writers trust in what the name of a file tells, so it must be true.
    fn misnamed(&self) -> Option<String> {
        let (Some(id), Some(own)) = (&self.file.environment, &self.file.pull_request) else {
            return self
                .is_new
                .then(|| "it must name its pull request and its id".to_owned());
        };
        let name = environment_name(own, &EnvironmentId::given(id));
        let stem = self.file.path.rsplit('/').next().unwrap_or_default();
        let is_named = stem.strip_suffix(".tf") == Some(&name);
        (self.is_new && !is_named)
            .then(|| format!("it must be named {name}.tf, after its pull request and its id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str =
        "source \"acme/x\" {\n  former_names = [\"acme/old\"]\n}\nsource \"acme/y\" {}\n";

    fn file(name: &str, id: &str, pull_request: &str, number: Option<u64>) -> EnvironmentFile {
        let more = number.map_or_else(String::new, |n| format!("repository_id = {n}\n"));
        let text = format!(
            "module \"{name}\" {{\nenvironment = \"{id}\"\npull_request = \"{pull_request}\"\n{more}}}\n"
        );
        let path = format!("s/environments/{name}.tf");
        EnvironmentFile::read(&path, &text).unwrap().unwrap()
    }

    fn fault(
        file: &EnvironmentFile,
        before: &[EnvironmentFile],
        others: &[EnvironmentFile],
    ) -> String {
        let rules = ServiceRules::read("s/service.hcl", RULES).unwrap();
        let claim = Claim {
            file,
            is_new: before.is_empty(),
            before,
            others: &others.iter().collect::<Vec<_>>(),
            earlier: &[],
            rules: &rules,
        };
        claim.fault().unwrap_or_default()
    }

    #[test]
    fn a_new_file_takes_nothing_of_others() {
        let new = || file("acme-x-1-0123abcd", "0123abcd", "acme/x#1", Some(5));
        let other = |name, id, of, number| [file(name, id, of, number)];
        for (other, expected) in [
            (
                other("acme-x-2-89abcdef", "89abcdef", "acme/x#2", Some(5)),
                "",
            ),
            (
                other("m", "0123abcd", "acme/x#2", Some(5)),
                "its id 0123abcd is that of s/environments/m.tf",
            ),
            (
                other("m", "89abcdef", "ACME/X#1", None),
                "its pull request is that of s/environments/m.tf",
            ),
            (
                other("m", "89abcdef", "acme/old#1", Some(5)),
                "its pull request is that of s/environments/m.tf",
            ),
            // A namesake: the repository of that name before it.
            (other("m", "89abcdef", "acme/x#1", Some(4)), ""),
            (
                other("ACME-X-1-0123abcd", "1", "acme/x#2", None),
                "its name is that of s/environments/ACME-X-1-0123abcd.tf",
            ),
        ] {
            assert_eq!(fault(&new(), &[], &other), expected, "{other:?}");
        }
        for (name, id, of, expected) in [
            (
                "acme-x-1-0123abcd",
                "0123abce",
                "acme/x#1",
                "it must be named acme-x-1-0123abce.tf, after its pull request and its id",
            ),
            (
                "acme-z-1-0123abcd",
                "0123abcd",
                "acme/z#1",
                "its service takes no pull requests of acme/z",
            ),
            ("acme-old-1-0123abcd", "0123abcd", "acme/old#1", ""),
        ] {
            assert_eq!(
                fault(&file(name, id, of, None), &[], &[]),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_standing_file_stays_whose_it_is() {
        let (a, x) = ("0123abcd", "acme/x#1");
        let whose = "it was the environment of acme/x#1";
        for (before, id, of, number, expected) in [
            (None, a, x, None, ""),
            (None, a, x, Some(5), ""),
            (
                None,
                "0123abce",
                x,
                None,
                "its id was 0123abcd, which an environment keeps for life",
            ),
            (None, a, "acme/x#2", None, whose),
            (None, a, "acme/y#1", None, whose),
            (None, a, "acme/old#1", None, ""),
            (Some(5), a, "acme/y#1", Some(5), ""),
            (
                Some(5),
                a,
                "acme/z#1",
                Some(5),
                "its service takes no pull requests of acme/z",
            ),
            (Some(5), a, x, Some(6), whose),
            (Some(5), a, x, None, whose),
        ] {
            let before = [file("mine", a, x, before)];
            let now = file("mine", id, of, number);
            assert_eq!(
                fault(&now, &before, &before),
                expected,
                "{id} {of} {number:?}"
            );
        }
        // Two that stood with one id are no news.
        let twins = [file("mine", a, x, None), file("other", a, "acme/x#2", None)];
        assert_eq!(fault(&file("mine", a, x, Some(5)), &twins[..1], &twins), "");
    }
}
