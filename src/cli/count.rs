//! Numbers of things, in words.

/// `1 run`, `2 runs`: `noun` is one that takes an `s`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(
            [0, 1, 2].map(|count| counted(count, "run")),
            ["0 runs", "1 run", "2 runs"]
        );
    }
}
