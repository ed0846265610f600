//! The patterns of `fileset`: `*`, `**`, `?`, `[a-z]`, `{a,b}`.

use regex::Regex;

/// A pattern of paths.
pub(super) struct Glob(Regex);

impl Glob {
    pub(super) fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

pub(super) fn parse(pattern: &str) -> Result<Glob, String> {
    let fail = || format!("the pattern {pattern:?} is not valid");
    let mut expression = String::from("^(?s:");
    let mut open = 0usize;
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        let at_name_start = expression.ends_with('/') || rest.len() == pattern.len();
        if at_name_start && let Some(after) = rest.strip_prefix("**/") {
            expression.push_str("(?:[^/]*/)*?");
            rest = after;
            continue;
        }
        if at_name_start && rest == "**" {
            expression.push_str(".*");
            break;
        }
        rest = &rest[character.len_utf8()..];
        match character {
            '*' => {
                rest = rest.trim_start_matches('*');
                expression.push_str("[^/]*");
            }
            '?' => expression.push_str("[^/]"),
            '{' => {
                open += 1;
                expression.push_str("(?:");
            }
            '}' if open > 0 => {
                open -= 1;
                expression.push(')');
            }
            ',' if open > 0 => expression.push('|'),
            '[' => {
                let end = rest.find(']').filter(|end| *end > 0).ok_or_else(fail)?;
                let (negated, class) = match rest[..end].strip_prefix(['^', '!']) {
                    Some(class) => ("^/", class),
                    None => ("", &rest[..end]),
                };
                if class.is_empty() || class.contains(['[', '\\', '&', '~', '/']) {
                    return Err(fail());
                }
                expression.push_str(&format!("[{negated}{class}]"));
                rest = &rest[end + 1..];
            }
            '\\' => {
                let escaped = rest.chars().next().ok_or_else(fail)?;
                expression.push_str(&regex::escape(&escaped.to_string()));
                rest = &rest[escaped.len_utf8()..];
            }
            other => expression.push_str(&regex::escape(&other.to_string())),
        }
    }
    if open > 0 {
        return Err(fail());
    }
    expression.push_str(")$");
    Regex::new(&expression).map(Glob).map_err(|_| fail())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn patterns_stay_within_names() {
        for (pattern, path, wanted) in [
            ("*.tf", "a.tf", true),
            ("*.tf", "b/a.tf", false),
            ("**/*.tf", "a.tf", true),
            ("**/*.tf", "b/c/a.tf", true),
            ("b/**", "b/c/a.tf", true),
            ("{a,b}.tf", "b.tf", true),
            ("[a-c]?.tf", "bx.tf", true),
            ("[!a].tf", "b.tf", true),
            ("a.tf", "aXtf", false),
        ] {
            assert_eq!(
                parse(pattern).unwrap().matches(path),
                wanted,
                "{pattern} {path}"
            );
        }
        assert!(parse("[a").is_err() && parse("{a").is_err());
    }
}
