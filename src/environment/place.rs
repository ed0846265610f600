//! Where environment files stand, and whether a file there is one.

use super::EnvironmentFile;

/// Whether the path is that of an environment file of a service, and of which.
pub fn service_of(path: &str) -> Option<&str> {
    let mut names = path.split('/');
    let (service, directory, file) = (names.next()?, names.next()?, names.next()?);
    let stem = file.strip_suffix(".tf")?;
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_environment = names.next().is_none()
        && directory == "environments"
        && !stem.is_empty()
        && stem.bytes().all(letters)
        // Terraform lays such a file over all others.
        && !matches!(stem, "variables" | "override")
        && !stem.ends_with("_override");
    is_environment.then_some(service)
}

/// Whether what stood at `path` was an environment, readable or not, and nothing else.
pub fn is_environment(path: &str, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    match EnvironmentFile::read(path, &text) {
        Ok(Some(file)) => file.environment.is_some() || file.pull_request.is_some(),
        Ok(None) => false,
        // It ends with its pull request all the same: it is known by the name that writers give.
        Err(_) => is_written_name(path),
    }
}

/// `…-<number>-<id>.tf`
fn is_written_name(path: &str) -> bool {
    let stem = path.strip_suffix(".tf").unwrap_or(path);
    let mut words = stem.rsplitn(3, '-');
    let (id, number, rest) = (words.next(), words.next(), words.next());
    let is = |word: Option<&str>, of: fn(&u8) -> bool| {
        word.is_some_and(|word| !word.is_empty() && word.as_bytes().iter().all(of))
    };
    is(id, u8::is_ascii_hexdigit) && is(number, u8::is_ascii_digit) && rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "module \"m\" {\n  environment = \"0123abcd\"\n  pull_request = \"acme/x#1\"\n}\n";

    #[test]
    fn paths_of_environments() {
        for (path, expected) in [
            ("s/environments/a-1-0123abcd.tf", Some("s")),
            ("s/environments/_3a-b_c.tf", Some("s")),
            ("s/environments/variables.tf", None),
            ("s/environments/override.tf", None),
            ("s/environments/a_override.tf", None),
            ("s/environments/.a.tf", None),
            ("s/environments/a.tf.json", None),
            ("s/environments/a b.tf", None),
            ("s/environments/.tf", None),
            ("s/environments/x/a.tf", None),
            ("s/Environments/a.tf", None),
            ("environments/a.tf", None),
            ("s/environments/.terraform.lock.hcl", None),
        ] {
            assert_eq!(service_of(path), expected, "{path}");
        }
    }

    #[test]
    fn what_was_no_environment_is_told_from_one_that_is_broken() {
        for (path, text, expected) in [
            ("e/acme-x-1-0123abcd.tf", FILE, true),
            ("e/mine.tf", FILE, true),
            ("e/acme-x-1-0123abcd.tf", "module {", true),
            ("e/mine.tf", "module {", false),
            ("e/acme-x-1-0123abcd.tf", "output \"a\" {}", false),
            (
                "e/acme-x-1-0123abcd.tf",
                "module \"a\" { source = \"x\" }",
                false,
            ),
        ] {
            assert_eq!(
                is_environment(path, text.as_bytes()),
                expected,
                "{path} {text}"
            );
        }
    }
}
