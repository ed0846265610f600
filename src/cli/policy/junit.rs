//! Outcomes of tests in the XML that CIs read.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::policy::{TestOutcome, TestResult};

/// One `testsuite` per file.
pub(super) fn document(outcomes: &[TestOutcome]) -> String {
    let mut suites: BTreeMap<&str, Vec<&TestOutcome>> = BTreeMap::new();
    for outcome in outcomes {
        suites.entry(&outcome.file).or_default().push(outcome);
    }
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(xml, "<testsuites {}>", counts(outcomes.iter()));
    for (file, tests) in suites {
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" {}>",
            attribute(file),
            counts(tests.iter().copied())
        );
        for test in tests {
            push(&mut xml, test);
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>");
    xml
}

fn counts<'o>(outcomes: impl Iterator<Item = &'o TestOutcome> + Clone) -> String {
    let count = |is: fn(&TestResult) -> bool| {
        outcomes
            .clone()
            .filter(|outcome| is(&outcome.result))
            .count()
    };
    let seconds: f64 = outcomes
        .clone()
        .map(|outcome| outcome.duration.as_secs_f64())
        .sum();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{seconds:.6}\"",
        outcomes.clone().count(),
        count(|result| matches!(result, TestResult::Fail)),
        count(|result| matches!(result, TestResult::Error(_))),
        count(|result| matches!(result, TestResult::Skip)),
    )
}

fn push(xml: &mut String, test: &TestOutcome) {
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.6}\"",
        attribute(&test.package),
        attribute(&test.name),
        attribute(&test.file),
        test.line,
        test.duration.as_secs_f64(),
    );
    let inside = match &test.result {
        TestResult::Pass => String::new(),
        TestResult::Fail => "      <failure message=\"it is not true\"/>\n".to_owned(),
        TestResult::Error(message) => {
            format!("      <error message=\"{}\"/>\n", attribute(message))
        }
        TestResult::Skip => "      <skipped/>\n".to_owned(),
    };
    let _ = if inside.is_empty() {
        writeln!(xml, "/>")
    } else {
        writeln!(xml, ">\n{inside}    </testcase>")
    };
}

/// The text as the value of an attribute. XML has no way to write most control characters.
fn attribute(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => value.push_str("&amp;"),
            '<' => value.push_str("&lt;"),
            '>' => value.push_str("&gt;"),
            '"' => value.push_str("&quot;"),
            '\n' => value.push_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => value.push('\u{fffd}'),
            other if other.is_control() => value.push('\u{fffd}'),
            other => value.push(other),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{TestOutcome, TestResult, document};

    #[test]
    fn text_is_data() {
        let outcome = |result| TestOutcome {
            name: "test_x".to_owned(),
            package: "p".to_owned(),
            file: "a\"<&>\u{1}.rego".to_owned(),
            line: 3,
            result,
            prints: Vec::new(),
            duration: Duration::from_millis(2),
        };
        let document = document(&[
            outcome(TestResult::Pass),
            outcome(TestResult::Error("]]>\n\"".to_owned())),
        ]);
        insta::assert_snapshot!(document, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="2" failures="0" errors="1" skipped="0" time="0.004000">
          <testsuite name="a&quot;&lt;&amp;&gt;�.rego" tests="2" failures="0" errors="1" skipped="0" time="0.004000">
            <testcase classname="p" name="test_x" file="a&quot;&lt;&amp;&gt;�.rego" line="3" time="0.002000"/>
            <testcase classname="p" name="test_x" file="a&quot;&lt;&amp;&gt;�.rego" line="3" time="0.002000">
              <error message="]]&gt;&#10;&quot;"/>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
