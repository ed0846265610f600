//! Bringing an environment file up to date in place.
//!
//! Every byte stays that is not meant to change, and nothing is returned that was not read back: a
//! file that cannot be edited so is refused.

use std::collections::BTreeSet;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body, Structure};
use serde_json::Value;

use super::EnvironmentError;
use super::file::{literal, module_block, no_module, parse};
use super::layout::{News, splices, unfolded};
use crate::problem::Problem;

/// What came of bringing a file up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// It said so already, but perhaps at another time.
    Unchanged,
    /// The new text.
    Changed(String),
}

/// What a later time of the event is, where nothing else has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaterTime {
    /// No news: the same event again, or one that changes nothing, makes no commit.
    NoNews,
    /// News: what happened before it is stale from now on.
    News,
}

/// Attributes that tell of the event.
const COMPANIONS: &[&str] = &["event_at", "expires_at", "expires_at_unix"];
/// Attributes that are given once: the id of an environment is kept for life.
const GIVEN_ONCE: &[&str] = &["environment", "source"];

/// Brings the file at `path` up to date: each attribute of `rendered` (the file as it would be made
/// anew) whose name is among `written` is set in `current`. All else in `current` stays, byte for
/// byte, also what the template says of its own accord; only a paragraph that was aligned stays so.
///
/// A value is taken over as the text that `rendered` has for it: printing it anew would have to
/// escape it anew.
pub fn merge(
    path: &str,
    current: &str,
    rendered: &str,
    written: &BTreeSet<String>,
    later_time: LaterTime,
) -> Result<Merge, EnvironmentError> {
    let wanted_body = parse(path, rendered)?;
    let body = parse(path, current)?;
    let wanted = module_block(path, rendered, &wanted_body)?.ok_or_else(|| no_module(path))?;
    let block = module_block(path, current, &body)?.ok_or_else(|| no_module(path))?;
    let line_end = if current.contains("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let news: Vec<News> = wanted
        .body
        .attributes()
        .filter(|attribute| {
            let name = attribute.key.as_str();
            written.contains(name)
                && !(GIVEN_ONCE.contains(&name) && block.body.has_attribute(name))
        })
        .filter_map(|attribute| {
            Some(News {
                name: attribute.key.as_str().to_owned(),
                value: slice(rendered, &attribute.value)?.replace('\n', line_end),
            })
        })
        .filter(|news| !says(current, block, news))
        .collect();
    let is_companion = |news: &News| COMPANIONS.contains(&news.name.as_str());
    if news.is_empty() || later_time == LaterTime::NoNews && news.iter().all(is_companion) {
        return Ok(Merge::Unchanged);
    }
    let adds = news
        .iter()
        .any(|news| !block.body.has_attribute(&news.name));
    let text = match unfolded(current, block, line_end).filter(|_| adds) {
        Some(unfolded) => {
            let body = parse(path, &unfolded)?;
            let block = module_block(path, &unfolded, &body)?.ok_or_else(|| no_module(path))?;
            set(&unfolded, block, &news, line_end)
        }
        None => set(current, block, &news, line_end),
    };
    let text = text.ok_or_else(|| unusual(path))?;
    if is_as_told(current, &body, &text, &news) {
        Ok(Merge::Changed(text))
    } else {
        Err(unusual(path))
    }
}

fn set(current: &str, block: &Block, news: &[News], line_end: &str) -> Option<String> {
    let mut splices = splices(current, block, news, line_end)?;
    splices.sort_by_key(|(span, _)| span.start);
    let mut text = current.to_owned();
    for (span, replacement) in splices.into_iter().rev() {
        text.replace_range(span, &replacement);
    }
    Some(text)
}

fn unusual(path: &str) -> EnvironmentError {
    EnvironmentError::File(
        Problem::error("is laid out so that its attributes cannot be set in place")
            .in_file(path)
            .with_hint("write each attribute on a line of its own, comments on other lines"),
    )
}

fn slice<'a>(text: &'a str, node: &impl Span) -> Option<&'a str> {
    text.get(node.span()?)
}

/// Whether the block gives the attribute this value already, in these words or in others.
fn says(current: &str, block: &Block, news: &News) -> bool {
    let Some(present) = block.body.get_attribute(&news.name) else {
        return false;
    };
    if slice(current, &present.value) == Some(&news.value) {
        return true;
    }
    let wanted: Option<Expression> = news.value.parse().ok();
    let (present, wanted) = (literal(&present.value), wanted.as_ref().and_then(literal));
    match (&present, &wanted) {
        // GitHub's names have no case: another spelling is no news.
        (Some(Value::String(present)), Some(Value::String(wanted)))
            if news.name == "pull_request" =>
        {
            present.eq_ignore_ascii_case(wanted)
        }
        // Strings have one spelling here, so other words are another string.
        (_, Some(Value::String(_)) | None) => false,
        _ => present == wanted,
    }
}

/// Whether `text` says what `current` did, and the news, and nothing else.
fn is_as_told(current: &str, body: &Body, text: &str, news: &[News]) -> bool {
    let Ok(merged) = hcl_edit::parser::parse_body(text) else {
        return false;
    };
    let (Some(mut expected), Some(mut said)) = (sayings(current, body), sayings(text, &merged))
    else {
        return false;
    };
    for News { name, value } in news {
        let saying = (Some(name.as_str()), value.as_str());
        match expected.iter_mut().find(|(key, _)| *key == saying.0) {
            Some(present) => *present = saying,
            None => expected.push(saying),
        }
    }
    expected.sort_unstable();
    said.sort_unstable();
    expected == said
}

/// Everything that a file says: the attributes of its module block by name, and all else.
fn sayings<'a>(text: &'a str, body: &'a Body) -> Option<Vec<(Option<&'a str>, &'a str)>> {
    let mut sayings = Vec::new();
    for structure in body {
        match structure.as_block().filter(|b| b.has_ident("module")) {
            None => sayings.push((None, slice(text, structure)?)),
            Some(block) => {
                sayings.extend(block.labels.iter().map(|label| (None, label.as_str())));
                for inner in &block.body {
                    sayings.push(match inner {
                        Structure::Attribute(attribute) => {
                            (Some(attribute.key.as_str()), slice(text, &attribute.value)?)
                        }
                        Structure::Block(block) => (None, slice(text, block)?),
                    });
                }
            }
        }
    }
    Some(sayings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::file::tests::FILE;

    /// Brings a file up to date with all that `rendered` says.
    fn merged(path: &str, current: &str, rendered: &str) -> Result<Merge, EnvironmentError> {
        let body = hcl_edit::parser::parse_body(rendered).unwrap();
        let names = body.blocks().flat_map(|block| block.body.attributes());
        let names = names
            .map(|attribute| attribute.key.as_str().to_owned())
            .collect();
        merge(path, current, rendered, &names, LaterTime::NoNews)
    }

    fn rendered(code_version: &str, event_at: &str, more: &str) -> String {
        format!(
            "module \"other\" {{\n  source = \"../t\"\n  environment = \"ffff\"\n  code_version = {code_version}\n  event_at = \"{event_at}\"\n{more}}}\n"
        )
    }

    #[test]
    fn only_the_news_is_touched() {
        let new = rendered("\"bbbb\"", "2026-11-21T10:00:00Z", "");
        let expected = FILE
            .replace("\"aaaa\"", "\"bbbb\"")
            .replace("T09:00:00Z", "T10:00:00Z");
        assert_eq!(
            merged("x.tf", FILE, &new).unwrap(),
            Merge::Changed(expected)
        );
    }

    #[test]
    fn a_later_event_alone_is_no_news() {
        let same = rendered("\"aaaa\"", "2026-11-21T11:00:00Z", "");
        assert_eq!(merged("x.tf", FILE, &same).unwrap(), Merge::Unchanged);
    }

    #[test]
    fn a_new_attribute_is_added_in_line() {
        let new = |name: &str| {
            rendered(
                "\"aaaa\"",
                "2026-11-21T09:00:00Z",
                &format!("  {name} = 5\n"),
            )
        };
        let Merge::Changed(text) = merged("x.tf", FILE, &new("repository_id")).unwrap() else {
            panic!("no change")
        };
        let (before, after) = FILE.split_at(FILE.find("\n  size").unwrap());
        assert_eq!(
            text,
            format!("{before}  repository_id           = 5\n{after}")
        );
        let Merge::Changed(text) = merged("x.tf", FILE, &new("infra_repository_branch_1")).unwrap()
        else {
            panic!("no change")
        };
        assert!(
            text.contains("  code_version              = \"aaaa\"\n"),
            "{text}"
        );
        assert!(
            text.contains("  infra_repository_branch_1 = 5\n\n  size  =   var.size"),
            "{text}"
        );
    }

    #[test]
    fn a_value_is_taken_over_as_it_was_escaped() {
        // Printed anew by the library, this string would hold a live directive.
        let escaped = r#""a$${$%%{if(true)}a%%{endif}""#;
        let Merge::Changed(text) =
            merged("x.tf", FILE, &rendered(escaped, "2026-11-21T10:00:00Z", "")).unwrap()
        else {
            panic!("no change")
        };
        assert!(
            text.contains(&format!("code_version            = {escaped}\n")),
            "{text}"
        );
        let again = rendered(escaped, "2026-11-21T11:00:00Z", "");
        assert_eq!(merged("x.tf", &text, &again).unwrap(), Merge::Unchanged);
    }

    #[test]
    fn files_made_by_hand_take_many_additions() {
        let new = String::from(
            "module \"other\" {\n  source = \"../t\"\n  environment = \"ffff\"\n  code_version = \"bbbb\"\n  infra_repository_branch = \"main\"\n  pull_request = \"acme/x#1\"\n  repository_id = 5\n  event_at = \"2026-11-21T10:00:00Z\"\n}\n",
        );
        let shapes = [
            (
                "module \"m\" {\n  source = \"../t\"\n\n  pull_request = \"acme/x#1\"\n\n  environment = \"abcd1234\"\n}\n",
                "module \"m\" {\n  source = \"../t\"\n\n  pull_request = \"acme/x#1\"\n\n  environment             = \"abcd1234\"\n  code_version            = \"bbbb\"\n  infra_repository_branch = \"main\"\n  repository_id           = 5\n  event_at                = \"2026-11-21T10:00:00Z\"\n}\n",
            ),
            (
                "module \"m\" {\n  source       = \"../t\"\n  environment  = \"abcd1234\" # mine\n  pull_request = \"ACME/x#1\" /* a\n  longer story */\n}\n",
                "module \"m\" {\n  source                  = \"../t\"\n  environment             = \"abcd1234\" # mine\n  pull_request            = \"ACME/x#1\" /* a\n  longer story */\n  code_version            = \"bbbb\"\n  infra_repository_branch = \"main\"\n  repository_id           = 5\n  event_at                = \"2026-11-21T10:00:00Z\"\n}\n",
            ),
            (
                "module \"m\" {\r\n  pull_request = \"acme/x#1\"\r\n}\r\n",
                "module \"m\" {\r\n  pull_request            = \"acme/x#1\"\r\n  environment             = \"ffff\"\r\n  code_version            = \"bbbb\"\r\n  infra_repository_branch = \"main\"\r\n  repository_id           = 5\r\n  event_at                = \"2026-11-21T10:00:00Z\"\r\n  source                  = \"../t\"\r\n}\r\n",
            ),
        ];
        for (shape, expected) in shapes {
            let Merge::Changed(text) = merged("x.tf", shape, &new).unwrap() else {
                panic!("no change: {shape}")
            };
            let sorted = |text: &str| {
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                lines.sort();
                lines
            };
            assert_eq!(sorted(&text), sorted(expected), "{text}");
            assert_eq!(
                merged("x.tf", &text, &new).unwrap(),
                Merge::Unchanged,
                "{text}"
            );
        }
        let one_line = "module \"m\" { pull_request = \"acme/x#1\" }\n";
        assert_eq!(
            merged("x.tf", one_line, &new).unwrap(),
            Merge::Changed(
                "module \"m\" {\n  pull_request            = \"acme/x#1\"\n  source                  = \"../t\"\n  environment             = \"ffff\"\n  code_version            = \"bbbb\"\n  infra_repository_branch = \"main\"\n  repository_id           = 5\n  event_at                = \"2026-11-21T10:00:00Z\"\n}\n"
                    .to_owned()
            )
        );
        let Merge::Changed(text) = merged(
            "x.tf",
            "module \"m\" { code_version = \"a\" }\n",
            "module \"m\" {\n  code_version = \"b\"\n}\n",
        )
        .unwrap() else {
            panic!("no change")
        };
        assert_eq!(text, "module \"m\" { code_version = \"b\" }\n");
        for odd in [
            "module \"m\" { /* mine */ pull_request = \"acme/x#1\" }\n",
            "module \"m\" {}\n",
            "module \"m\" { # mine\n}\n",
        ] {
            let error = merged("x.tf", odd, &new).unwrap_err();
            assert!(error.to_string().contains("is laid out"), "{odd}: {error}");
        }
    }

    #[test]
    fn a_reopened_pull_request_is_news_by_its_time() {
        let names = ["event_at".to_owned()].into();
        let merge_at = |time| {
            merge(
                "x.tf",
                FILE,
                &rendered("\"aaaa\"", time, ""),
                &names,
                LaterTime::News,
            )
            .unwrap()
        };
        let later = FILE.replace("T09:00:00Z", "T11:00:00Z");
        assert_eq!(merge_at("2026-11-21T11:00:00Z"), Merge::Changed(later));
        assert_eq!(merge_at("2026-11-21T09:00:00Z"), Merge::Unchanged);
    }

    /// What passed `terraform fmt` passes it when it is brought up to date, and what did not is
    /// changed where it must be.
    #[test]
    fn terraform_finds_nothing_to_format() {
        let aligned = [
            FILE.replace("  size  =   var.size   // mine", "  size = var.size // mine"),
            "module \"m\" {\n  source = \"../t\"\n}\n".to_owned(),
            "module \"m\" {\n  source       = \"../t\"     # where\n  pull_request = \"acme/x#1\" # whose\n  size         = 1\n}\n".to_owned(),
            "module \"m\" {\n  pull_request = \"acme/x#1\"\n  tags = [\n    \"a\",\n  ]\n  code_version = \"a\" // b\n  c            = 1   // d\n}\n".to_owned(),
            "module \"m\" {\n  tags = [\n    \"a\",\n  ]\n  pull_request = \"acme/x#1\" /* a\n  b */\n  c            = 1 # d\n}\n".to_owned(),
            "module \"m\" {\n  pull_request = \"acme/x#1\"\n  # mine\n  c = 1\n}\n".to_owned(),
            "module \"m\" {\n  text         = <<EOT\n  a = 1\nEOT\n  pull_request = \"acme/x#1\"\n}\n".to_owned(),
            "module \"m\" {\n  pull_request            = \"acme/x#1\" # a\n  infra_repository_branch = \"grün/😀\"   # b\n}\n".to_owned(),
            "module \"m\" {\n  pull_request = \"acme/x#1\"\n  tags         = []\n  c            = 1\n}\n".to_owned(),
            "module \"m\" { pull_request = \"acme/x#1\" }\n".to_owned(),
        ];
        let directory = tempfile::tempdir().unwrap();
        let write = |name: String, text: &str| {
            std::fs::write(directory.path().join(name), text).unwrap();
        };
        let more = [
            "",
            "  pull_request = \"acme/x#1\"\n  infra_repository_branch = \"a-longer-name\"\n",
            "  tags = [\n    \"b\",\n  ]\n  a_name_that_is_longer_than_all = true\n",
        ];
        for (number, shape) in aligned.iter().enumerate() {
            write(format!("before{number}.tf"), shape);
            for (kind, more) in more.iter().enumerate() {
                let new = rendered("\"a-new-and-longer-version\"", "2026-11-22T09:00:00Z", more);
                let Merge::Changed(text) =
                    merged("x.tf", shape, &new).unwrap_or_else(|error| panic!("{error}: {shape}"))
                else {
                    panic!("no change: {shape}")
                };
                write(format!("after{number}-{kind}.tf"), &text);
                assert_eq!(
                    merged("x.tf", &text, &new).unwrap(),
                    Merge::Unchanged,
                    "{text}"
                );
            }
        }
        assert_eq!(terraform_fmt(directory.path()), "");
    }

    #[expect(clippy::disallowed_methods, reason = "a test drives the real tool")]
    fn terraform_fmt(directory: &std::path::Path) -> String {
        let output = std::process::Command::new("terraform")
            .args(["fmt", "-check", "-diff"])
            .current_dir(directory)
            .env("TF_CLI_CONFIG_FILE", "/dev/null")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).into_owned()
    }

    #[test]
    fn line_ends_stay_as_they_are() {
        let windows = FILE.replace('\n', "\r\n");
        let new = rendered("\"bbbb\"", "2026-11-21T09:00:00Z", "");
        let expected = windows.replace("\"aaaa\"", "\"bbbb\"");
        assert_eq!(
            merged("x.tf", &windows, &new).unwrap(),
            Merge::Changed(expected)
        );
    }
}
