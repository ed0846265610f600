//! What a tool has begun and not ended, by what it prints: if it is killed, no state knows of that.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// How Terraform and OpenTofu tell that they begin with a resource, and that they are done.
const WORDS: [(&str, &str, &str); 3] = [
    (": Creating...", ": Creation complete after ", "creating"),
    (
        ": Modifying...",
        ": Modifications complete after ",
        "changing",
    ),
    (
        ": Destroying...",
        ": Destruction complete after ",
        "destroying",
    ),
];

/// What is in flight, by address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct InFlight(BTreeMap<String, &'static str>);

impl InFlight {
    pub(super) fn hear(&mut self, line: &str) {
        for (begins, ends, doing) in WORDS {
            if let Some((address, _)) = line.split_once(begins) {
                self.0.insert(address.to_owned(), doing);
            } else if let Some((address, _)) = line.split_once(ends) {
                self.0.remove(address);
            }
        }
    }

    /// Each in words: `creating terraform_data.page`.
    pub(super) fn told(&self) -> Vec<String> {
        let told = self.0.iter();
        told.map(|(address, doing)| format!("{doing} {address}"))
            .collect()
    }
}

/// What was in flight when a step was cut off, by what it has left in the file `said`; nothing where it
/// has left none.
pub fn in_flight(said: &Path) -> io::Result<Vec<String>> {
    let text = match fs::read(said) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let mut in_flight = InFlight::default();
    for line in String::from_utf8_lossy(&text).lines() {
        in_flight.hear(line);
    }
    Ok(in_flight.told())
}

#[cfg(test)]
mod tests {
    use super::InFlight;

    #[test]
    fn what_has_not_ended_is_in_flight() {
        let mut in_flight = InFlight::default();
        for line in [
            "a.a: Creating...",
            "a.a: Provisioning with 'local-exec'...",
            "m.x[\"k\"].b.b (deposed object 1234): Destroying... [id=1]",
            "c.c: Modifying... [id=2]",
            "d.d: Refreshing state... [id=3]",
            "a.a: Creation complete after 0s [id=4]",
            "c.c: Still modifying... [id=2, 10s elapsed]",
            "e.e: Creating...",
            "a.a: Destroying... [id=4]",
            "a.a: Destruction complete after 1s",
        ] {
            in_flight.hear(line);
        }
        assert_eq!(
            in_flight.told(),
            [
                "changing c.c",
                "creating e.e",
                "destroying m.x[\"k\"].b.b (deposed object 1234)"
            ]
        );
    }
}
