//! Whatever arrives, nothing panics, and what is read back is what was written.

use std::collections::BTreeMap;

use dayfly::config::{ServiceRules, Settings};
use dayfly::environment::{EnvironmentFile, LaterTime, Merge, merge};
use dayfly::event::{Branch, PullRequestId};
use dayfly::generate::environment_file;
use dayfly::github::webhook::read_event;
use proptest::prelude::*;
use serde_json::{Value, json};

const TEMPLATE: &str = include_str!("../templates/service/environment.tf.tera");

/// Text with more of what means something to HCL, Tera and shells than chance would give.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("${"),
        Just("%{"),
        Just("$${"),
        Just("%%{"),
        Just("}"),
        Just("{{"),
        Just("}}"),
        Just("{%"),
        Just("\""),
        Just("\\"),
        Just("'"),
        Just("`"),
        Just("\n"),
        Just("#"),
        Just("//"),
        Just("if true"),
        Just("endif"),
        Just("$"),
        Just("%"),
        Just("~"),
        Just("EOF"),
        Just("ü"),
    ];
    let piece = prop_oneof![pieces.prop_map(str::to_owned), any::<String>()];
    prop::collection::vec(piece, 0..8).prop_map(|parts| parts.concat())
}

fn render(branch: &str) -> Result<String, String> {
    let values: BTreeMap<String, Value> = BTreeMap::from([
        ("environment".to_owned(), json!("0123abcd")),
        ("pull_request".to_owned(), json!("acme/x#1")),
        ("code_version".to_owned(), json!("latest")),
        ("infra_repository_branch".to_owned(), json!(branch)),
    ]);
    environment_file(
        TEMPLATE,
        "environment.tf.tera",
        "acme-x-1-0123abcd",
        &values,
    )
    .map_err(|error| error.to_string())
}

proptest! {
    #[test]
    fn readers_take_anything(text in text()) {
        let _ = Settings::read(&text);
        let _ = ServiceRules::read("x/service.hcl", &text);
        let _ = EnvironmentFile::read("x.tf", &text);
        let _ = read_event("pull_request", text.as_bytes());
        let _ = text.parse::<PullRequestId>();
        let _ = text.parse::<Branch>();
        let _ = environment_file(&text, "t", "x", &BTreeMap::new());
    }

    #[test]
    fn a_value_stays_data(branch in text(), later in text()) {
        let (Ok(first), Ok(second)) = (render(&branch), render(&later)) else { return Ok(()) };
        let names = ["infra_repository_branch".to_owned()].into();
        let merged = match merge("x.tf", &first, &second, &names, LaterTime::NoNews) {
            Ok(Merge::Changed(text)) => text,
            Ok(Merge::Unchanged) => first,
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        prop_assert_eq!(&merged, &second, "brought up to date it is as if made anew");
        let again = merge("x.tf", &merged, &second, &names, LaterTime::NoNews);
        prop_assert!(matches!(again, Ok(Merge::Unchanged)));
    }
}
