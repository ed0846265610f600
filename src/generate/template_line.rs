//! Which line of a template made a line of its text.

/// The number, counted from 1, of the line of `template` that most likely made `line`: all its
/// fixed parts stand in it in their order, and no other line has more of them.
pub(super) fn template_line(template: &str, line: &str) -> Option<usize> {
    let made = |source: &str| {
        let (mut rest, mut made) = (line, 0);
        for part in fixed_parts(source) {
            rest = &rest[rest.find(part)? + part.len()..];
            made += part.len();
        }
        Some(made)
    };
    let likeness = |(position, source): (usize, &str)| Some((made(source)?, position));
    let best = template.lines().enumerate().filter_map(likeness);
    let (made, position) = best.max_by_key(|(made, position)| (*made, usize::MAX - position))?;
    (made > 0).then_some(position + 1)
}

/// What a line of a template says outside of `{{ … }}`, `{% … %}` and `{# … #}`.
fn fixed_parts(source: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = source;
    loop {
        let open = ["{{", "{%", "{#"]
            .into_iter()
            .filter_map(|tag| rest.find(tag))
            .min();
        let Some(open) = open else {
            parts.push(rest);
            break;
        };
        parts.push(&rest[..open]);
        let close = ["}}", "%}", "#}"]
            .into_iter()
            .filter_map(|tag| rest[open..].find(tag))
            .min();
        let Some(close) = close else { break };
        rest = &rest[open + close + 2..];
    }
    parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::template_line;

    #[test]
    fn lines_are_found_by_their_fixed_parts() {
        let template = "{# x #}\nmodule {{ module }} {\n{% if a %}  a = {{ a }}\n{% endif %}  ab = {{ a }} # b\n}\n";
        for (line, expected) in [
            ("module \"m\" {", Some(2)),
            ("  a = 5", Some(3)),
            ("  ab = 5 # b", Some(4)),
            ("}", Some(5)),
            ("other", None),
            ("", None),
        ] {
            assert_eq!(template_line(template, line), expected, "{line}");
        }
    }
}
