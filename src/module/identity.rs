//! The ids of objects, known before anything is created.

use std::cell::Cell;

use unicode_normalization::UnicodeNormalization;

use super::few::Few;
use super::value::Value;

/// Spacelift cuts its slugs here.
const LONGEST_SLUG: usize = 256;

/// The id that Spacelift makes of a name: lower case letters, digits, `-` and `_`; everything else
/// becomes one hyphen. Latin letters lose their marks. Empty if nothing of the name is left.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.trim().nfd() {
        match character {
            'a'..='z' | '0'..='9' | '_' => slug.push(character),
            'A'..='Z' => slug.push(character.to_ascii_lowercase()),
            '\u{300}'..='\u{36f}' => {}
            '"' | '\'' | '’' => {}
            '&' => slug.push_str("and"),
            '@' => slug.push_str("at"),
            _ => match plain_letters(character) {
                Some(letters) => slug.push_str(letters),
                None if slug.ends_with('-') => {}
                None => slug.push('-'),
            },
        }
    }
    let trimmed = slug.trim_matches(['-', '_']);
    // All of it is ASCII by now.
    trimmed[..trimmed.len().min(LONGEST_SLUG)].to_owned()
}

/// Letters that are no letter with a mark.
fn plain_letters(character: char) -> Option<&'static str> {
    Some(match character {
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'þ' | 'Þ' => "th",
        'ħ' | 'Ħ' => "h",
        'ı' => "i",
        _ => return None,
    })
}

/// Whether `id` can be a slug: 1 to 256 of `a-z`, `0-9`, `-` and `_`. An id names files and
/// directories, so nothing else may ever be one.
fn is_slug(id: &str) -> bool {
    (1..=LONGEST_SLUG).contains(&id.len())
        && id
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// Why an object has no id, and which of its attributes is to blame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoId {
    pub attribute: Option<&'static str>,
    pub message: String,
}

/// The id of an object: as Spacelift makes it where that is known before, else one made of the
/// type and what identifies the object. Everybody may read an id, so nothing sensitive is in it.
pub(super) fn id(kind: &str, address: &str, attributes: &Few<'_, Value>) -> Result<String, NoId> {
    let hidden = Cell::new(None);
    let text = |name: &'static str| {
        let value = attributes.get(name)?;
        if value.is_sensitive() {
            hidden.set(Some(name));
        }
        value.opened().0.as_str()
    };
    let id = id_of(kind, address, &text);
    match hidden.get() {
        Some(name) => Err(NoId {
            attribute: Some(name),
            message: format!(
                "{name} is sensitive, and the id of {address} is made of it, which everybody may \
                 read: write nonsensitive(…) around it"
            ),
        }),
        None => id,
    }
}

/// The text of an attribute.
type Text<'a> = &'a dyn Fn(&'static str) -> Option<&'a str>;

fn id_of(kind: &str, address: &str, text: Text<'_>) -> Result<String, NoId> {
    match kind {
        "spacelift_stack" => match text("slug") {
            Some(slug) if is_slug(slug) => Ok(slug.to_owned()),
            Some(slug) => Err(NoId {
                attribute: Some("slug"),
                message: format!(
                    "{slug:?} cannot be the slug of {address}: a slug is 1 to {LONGEST_SLUG} of \
                     a-z, 0-9, - and _"
                ),
            }),
            None => id_of_name(address, text("name")),
        },
        "spacelift_policy"
        | "spacelift_context"
        | "spacelift_named_webhook"
        | "spacelift_space"
        | "spacelift_role"
        | "spacelift_repo"
        | "spacelift_worker_pool"
        | "spacelift_aws_integration"
        | "spacelift_azure_integration" => id_of_name(address, text("name")),
        _ => joined_id(kind, address, text).ok_or_else(|| NoId {
            attribute: None,
            message: format!("no id can be made for {address}: what it is made of is not given"),
        }),
    }
}

fn id_of_name(address: &str, name: Option<&str>) -> Result<String, NoId> {
    let name = name.unwrap_or_default();
    let slug = slug(name);
    if is_slug(&slug) {
        return Ok(slug);
    }
    Err(NoId {
        attribute: Some("name"),
        message: format!(
            "no id can be made for {address}: its name {name:?} holds no letter or digit"
        ),
    })
}

/// The id of an object that is known by others. `None` if one of those is not known.
fn joined_id(kind: &str, address: &str, text: Text<'_>) -> Option<String> {
    let first =
        |names: &[&'static str]| names.iter().find_map(|name| text(name)).map(str::to_owned);
    let owner = || first(&["stack_id", "context_id", "module_id"]);
    let join = |parts: &[Option<String>]| -> Option<String> {
        let parts: Option<Vec<&str>> = parts.iter().map(Option::as_deref).collect();
        Some(parts?.join("/"))
    };
    let own = |name: &'static str| text(name).map(str::to_owned);
    let word = |word: &str| Some(word.to_owned());
    match kind.strip_prefix("spacelift_")? {
        "environment_variable" => join(&[owner(), own("name")]),
        "mounted_file" => join(&[owner(), own("relative_path")]),
        "policy_attachment" => join(&[own("policy_id"), owner()]),
        "context_attachment" => join(&[own("context_id"), first(&["stack_id", "module_id"])]),
        "aws_integration_attachment" | "azure_integration_attachment" => {
            join(&[own("integration_id"), owner()])
        }
        "stack_destructor" => join(&[own("stack_id"), word("destructor")]),
        "stack_activator" => join(&[own("stack_id"), word("activator")]),
        "drift_detection" => join(&[own("stack_id"), word("drift_detection")]),
        "scheduled_delete_stack" => join(&[own("stack_id"), word("scheduled_delete")]),
        "stack_dependency" => join(&[own("stack_id"), own("depends_on_stack_id")]),
        "stack_dependency_reference" => join(&[
            own("stack_dependency_id"),
            own("output_name"),
            own("input_name"),
        ]),
        "role_attachment" => {
            let subject = first(&["stack_id", "api_key_id", "idp_group_mapping_id", "user_id"]);
            join(&[own("role_id"), subject, own("space_id")])
        }
        "aws_role" | "stack_aws_role" => join(&[owner(), word("aws_role")]),
        "gcp_service_account" | "stack_gcp_service_account" => {
            join(&[owner(), word("gcp_service_account")])
        }
        "repo_file" => join(&[own("repo_id"), own("path")]),
        // Several of these may stand on one stack, so only the address tells them apart.
        _ => Some(address.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::few::Few;
    use super::super::value::Value;
    use super::{NoId, id, slug};

    fn id_of(kind: &str, attribute: &str, value: &str) -> Result<String, NoId> {
        let mut attributes = Few::default();
        attributes.insert(attribute, Value::string(value));
        id(kind, "the object", &attributes)
    }

    #[test]
    fn a_slug_is_never_a_path() {
        let stack = |slug: &str| id_of("spacelift_stack", "slug", slug);
        let longest = "a".repeat(256);
        for good in ["a", "a-b_0", "-", longest.as_str()] {
            assert_eq!(stack(good).as_deref(), Ok(good));
        }
        let too_long = "a".repeat(257);
        for bad in [
            "",
            ".",
            "..",
            "a/../../x",
            "/etc",
            "a\\b",
            "a.b",
            "A",
            "a b",
            "ä",
            "a\n::error::x",
            "a\0",
            too_long.as_str(),
        ] {
            let refused = stack(bad).unwrap_err();
            assert_eq!(refused.attribute, Some("slug"));
            assert!(refused.message.contains(&format!("{bad:?}")), "{refused:?}");
            assert!(refused.message.contains("a-z, 0-9, - and _"), "{refused:?}");
        }
    }

    #[test]
    fn ids_made_of_names_are_slugs() {
        for kind in ["stack", "policy", "context"].map(|kind| format!("spacelift_{kind}")) {
            for name in ["a/../../x", "../x", ".x.", "x\n\0"] {
                let made = id_of(&kind, "name", name).unwrap();
                assert!(
                    ["a-x", "x"].contains(&made.as_str()),
                    "{name:?} gives {made:?}"
                );
            }
            for name in ["", "..", "/", "日本"] {
                let refused = id_of(&kind, "name", name).unwrap_err();
                assert_eq!(refused.attribute, Some("name"));
                assert!(
                    refused.message.contains(&format!("{name:?}")),
                    "{refused:?}"
                );
            }
        }
    }

    #[test]
    fn slugs_are_those_of_spacelift() {
        for (name, wanted) in [
            ("Hello Service (5d41c2f0)", "hello-service-5d41c2f0"),
            ("ąśś", "ass"),
            ("Straße & Łódź", "strasse-and-lodz"),
            ("a__b--c", "a__b-c"),
            ("  -x- ", "x"),
            ("it's", "its"),
            ("日本", ""),
        ] {
            assert_eq!(slug(name), wanted, "{name}");
        }
        assert_eq!(slug(&"a".repeat(300)).len(), 256);
    }
}
