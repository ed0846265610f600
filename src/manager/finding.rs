//! What stands for a pull request among the files of a service.
//!
//! Unreadable is not absent: a file that cannot be read is still somebody's, by its words or by its
//! name, and ends with its pull request.

use super::ManagerError;
use super::services::{Service, environment_files, environment_path, read_all, read_environment};
use super::written_names::WriterNames;
use crate::environment::{EnvironmentFile, EnvironmentId, environment_name};
use crate::event::PullRequestId;
use crate::files::Files;

/// What stands for a pull request.
pub(super) enum Found {
    File {
        file: EnvironmentFile,
        text: String,
    },
    /// A file that is the pull request's by its words or its name, and cannot be read.
    Broken {
        path: String,
        error: ManagerError,
    },
}

/// What stands for `pull_request` in the directory of `service`: by its repository's number and its
/// own first, by name second, a file that cannot be read last. One that is also another pull
/// request's is an error: it can be neither written nor removed for this one.
pub(super) fn find(
    files: &dyn Files,
    service: &Service,
    pull_request: &PullRequestId,
    repository_id: Option<u64>,
) -> Result<Option<Found>, ManagerError> {
    let number = format!("#{}", pull_request.number);
    let name = environment_name(pull_request, &EnvironmentId::given(""));
    let (mut by_name, mut broken, mut shared) = (None, None, None);
    // A repository may have got another name, a pull request keeps its number.
    let names = WriterNames::of(service);
    let paths: Vec<String> = environment_files(files, &service.name)?
        .filter(|file| {
            names
                .read(file)
                .is_none_or(|(of, _)| of == pull_request.number)
        })
        .map(|file| environment_path(&service.name, &file))
        .collect();
    for read in read_all(files, paths)? {
        let (path, bytes) = read?;
        let text = String::from_utf8_lossy(&bytes);
        let mentions = |text: &str| text.to_ascii_lowercase().contains(&name);
        if !text.contains(&number) && !mentions(&path) && !mentions(&text) {
            continue;
        }
        match read_environment(&path, &bytes) {
            Ok(Some(file)) if file.belongs_to(pull_request, repository_id) => {
                let is_by_id = file.repository_id.is_some() && file.repository_id == repository_id;
                let text = text.into_owned();
                let found = Found::File { file, text };
                if is_by_id {
                    return Ok(Some(found));
                }
                by_name.get_or_insert(found);
            }
            Ok(_) => {}
            Err(error) => match Claims::read(&text).are_of(pull_request, repository_id) {
                Some(Whose::Own) => {
                    broken.get_or_insert(Found::Broken { path, error });
                }
                Some(Whose::Shared) => {
                    shared.get_or_insert(error);
                }
                None if is_named(&path, &name) => {
                    broken.get_or_insert(Found::Broken { path, error });
                }
                Some(Whose::Foreign) | None => {}
            },
        }
    }
    match (by_name.or(broken), shared) {
        (None, Some(error)) => Err(error),
        (found, _) => Ok(found),
    }
}

/// Whether the file is named `<name><id>.tf`, as the writer names files.
fn is_named(path: &str, name: &str) -> bool {
    let file = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    // No hyphen in it: `a-1-2-x.tf` is number 2 of `a-1`, not number 1 of `a`.
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    file.strip_suffix(".tf")
        .and_then(|stem| stem.strip_prefix(name))
        .is_some_and(is_id)
}

/// What a text that cannot be parsed says of whose it is.
struct Claims {
    pull_requests: Vec<PullRequestId>,
    repository_id: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Own,
    Shared,
    Foreign,
}

impl Claims {
    fn read(text: &str) -> Self {
        let mut claims = Self {
            pull_requests: Vec::new(),
            repository_id: None,
        };
        let is_comment = |line: &&str| line.starts_with('#') || line.starts_with("//");
        for line in text.lines().map(str::trim_start).filter(|l| !is_comment(l)) {
            claims.pull_requests.extend(
                said(line, "pull_request")
                    .filter_map(|value| value.strip_prefix('"')?.split('"').next()?.parse().ok()),
            );
            let digits = |value: &str| {
                let end = value.find(|letter: char| !letter.is_ascii_digit());
                value[..end.unwrap_or(value.len())].parse().ok()
            };
            let number = said(line, "repository_id").find_map(digits);
            claims.repository_id = claims.repository_id.or(number);
        }
        claims
    }

    /// `None` if no pull request is named.
    fn are_of(&self, pull_request: &PullRequestId, repository_id: Option<u64>) -> Option<Whose> {
        let is_own = |named: &PullRequestId| match (self.repository_id, repository_id) {
            (Some(own), Some(asked)) => own == asked && named.number == pull_request.number,
            _ => named == pull_request,
        };
        let own = self
            .pull_requests
            .iter()
            .filter(|named| is_own(named))
            .count();
        match (own, self.pull_requests.len()) {
            (_, 0) => None,
            (0, _) => Some(Whose::Foreign),
            (own, all) if own == all => Some(Whose::Own),
            _ => Some(Whose::Shared),
        }
    }
}

/// What stands behind each `name =` of a line, however many `=` there are.
fn said<'a>(line: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(name)
        .filter(|(position, _)| {
            let before = &line[..*position];
            !before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
        })
        .map(move |(position, _)| {
            line[position + name.len()..].trim_start_matches([' ', '\t', '='])
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_text_says_whose_it_is() {
        let whose = |text: &str, id: Option<u64>| {
            Claims::read(text).are_of(&"acme/x#1".parse().unwrap(), id)
        };
        let by_id = "pull_request = \"acme/old#1\"\nrepository_id = 5";
        for (text, id, expected) in [
            ("module \"m\" {", None, None),
            ("pull_request = \"ACME/x#1\"", None, Some(Whose::Own)),
            (
                "module \"m\" { pull_request  =   = \"acme/x#1\"",
                Some(5),
                Some(Whose::Own),
            ),
            ("  pull_request = \"acme/x#1", None, Some(Whose::Own)),
            ("pull_request = \"acme/x#10\"", None, Some(Whose::Foreign)),
            ("# pull_request = \"acme/x#1\"", None, None),
            (
                "base_pull_request = \"acme/x#1\"\npull_request_of = \"acme/x#1\"",
                None,
                None,
            ),
            (by_id, Some(5), Some(Whose::Own)),
            (by_id, Some(6), Some(Whose::Foreign)),
            (by_id, None, Some(Whose::Foreign)),
            (
                "pull_request = \"acme/x#1\"\npull_request = \"acme/x#2\"",
                None,
                Some(Whose::Shared),
            ),
        ] {
            assert_eq!(whose(text, id), expected, "{text}");
        }
    }

    #[test]
    fn names_are_not_mistaken_for_longer_ones() {
        for (file, expected) in [
            ("acme-a-1-0123abcd.tf", true),
            ("ACME-a-1-0123abcd.tf", true),
            ("acme-a-1-2-0123abcd.tf", false),
            ("acme-a-1-.tf", false),
            ("acme-a-12-0123abcd.tf", false),
            ("acme-a-1-0123abcd.tf.json", false),
        ] {
            assert_eq!(
                is_named(&format!("s/environments/{file}"), "acme-a-1-"),
                expected,
                "{file}"
            );
        }
    }
}
