//! What a tool has begun and not ended, and what it has ended and not stored, by what it prints: if it is
//! killed, no state knows of that.
//!
//! Terraform writes a local state after each resource; OpenTofu writes it now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::readings::{Instance, instances};
use super::redact::MASK;

/// How Terraform and OpenTofu tell that they begin with a resource, and that they are done.
const WORDS: [(&str, &str, Doing); 3] = [
    (
        ": Creating...",
        ": Creation complete after ",
        Doing::Creating,
    ),
    (
        ": Modifying...",
        ": Modifications complete after ",
        Doing::Changing,
    ),
    (
        ": Destroying...",
        ": Destruction complete after ",
        Doing::Destroying,
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Creating,
    Changing,
    Destroying,
}

impl Doing {
    fn word(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Changing => "changing",
            Self::Destroying => "destroying",
        }
    }
}

/// What is in flight, and what has landed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct InFlight {
    /// By address, with the id where one is told.
    begun: BTreeMap<String, (Doing, Option<String>)>,
    ended: Vec<(Instance, Doing)>,
}

impl InFlight {
    pub(super) fn hear(&mut self, line: &str) {
        for (begins, ends, doing) in WORDS {
            if let Some((address, rest)) = line.split_once(begins) {
                self.begun.insert(address.to_owned(), (doing, id(rest)));
            } else if let Some((address, rest)) = line.split_once(ends) {
                let begun = self.begun.remove(address).and_then(|(_, id)| id);
                let instance = Instance {
                    address: address.to_owned(),
                    id: id(rest).or(begun),
                };
                self.ended.push((instance, doing));
            }
        }
    }

    /// Each in words: `creating terraform_data.page`, `storing that terraform_data.page was created`.
    /// `state` is the file in which the tool keeps its state, where dayfly knows it.
    pub(super) fn told(&self, state: Option<&Path>) -> Vec<String> {
        let begun = self.begun.iter();
        let begun = begun.map(|(address, (doing, _))| format!("{} {address}", doing.word()));
        let stored = match self.ended.is_empty() {
            true => None,
            false => state.and_then(stored),
        };
        let unstored = stored.iter().flat_map(|stored| {
            let is_created = |address: &str| {
                let mut ended = self.ended.iter();
                ended.any(|(one, doing)| one.address == address && *doing == Doing::Creating)
            };
            let ended = self.ended.iter().filter_map(move |(instance, doing)| {
                let Instance { address, id } = instance;
                let is_there = stored.iter().any(|one| one.may_be(instance));
                let is_known = id.is_some() || !is_created(address);
                match doing {
                    Doing::Creating if !is_there => {
                        Some(format!("storing that {address} was created"))
                    }
                    Doing::Destroying if is_there && is_known => {
                        Some(format!("storing that {address} was destroyed"))
                    }
                    // Stored or not, the next plan looks at it and finds it changed.
                    _ => None,
                }
            });
            ended.collect::<BTreeSet<_>>()
        });
        begun.chain(unstored).collect()
    }
}

/// The id that a line ends with, unless a secret of it is masked.
fn id(rest: &str) -> Option<String> {
    let (_, id) = rest.split_once("[id=")?;
    let id = id.strip_suffix(']')?;
    (!id.contains(MASK)).then(|| id.to_owned())
}

/// What the state holds; `None` if that cannot be read.
fn stored(state: &Path) -> Option<Vec<Instance>> {
    match fs::read(state) {
        // None was written yet; the tool makes an empty file when it locks one that is not there.
        Err(error) if error.kind() == ErrorKind::NotFound => Some(Vec::new()),
        Ok(content) if content.is_empty() => Some(Vec::new()),
        content => instances(&serde_json::from_slice(&content.ok()?).ok()?),
    }
}

/// What was in flight when a step was cut off, by what it has left in the file `said`; nothing where it
/// has left none. `state` is the file in which it keeps its state, where dayfly knows it.
pub fn in_flight(said: &Path, state: Option<&Path>) -> io::Result<Vec<String>> {
    let text = match fs::read(said) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let mut in_flight = InFlight::default();
    for line in String::from_utf8_lossy(&text).lines() {
        in_flight.hear(line);
    }
    Ok(in_flight.told(state))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

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
            in_flight.told(None),
            [
                "changing c.c",
                "creating e.e",
                "destroying m.x[\"k\"].b.b (deposed object 1234)"
            ]
        );
    }

    #[test]
    fn what_has_ended_and_is_in_no_state_is_in_flight() {
        let mut in_flight = InFlight::default();
        for line in [
            // Stored.
            "a.a[0]: Creating...",
            "a.a[0]: Creation complete after 0s [id=1]",
            "module.m[\"k\"].b.b (deposed object 12): Destroying... [id=9]",
            "module.m[\"k\"].b.b (deposed object 12): Destruction complete after 0s",
            // Not stored: the state holds the one before.
            "module.m[\"k\"].b.b: Destroying... [id=2]",
            "module.m[\"k\"].b.b: Destruction complete after 0s",
            "module.m[\"k\"].b.b: Creating...",
            "module.m[\"k\"].b.b: Creation complete after 0s [id=3]",
            "c.c: Modifying... [id=5]",
            "c.c: Modifications complete after 0s [id=5]",
            "d.d: Creating...",
        ] {
            in_flight.hear(line);
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("terraform.tfstate");
        let told = |state: &str| {
            fs::write(&file, state).unwrap();
            in_flight.told(Some(&file))
        };
        let state = json!({"version": 4, "resources": [
            {"mode": "managed", "type": "a", "name": "a",
                "instances": [{"index_key": 0, "attributes": {"id": "1"}}]},
            {"mode": "managed", "type": "b", "name": "b", "module": "module.m[\"k\"]",
                "instances": [{"attributes": {"id": "2"}}]},
            {"mode": "managed", "type": "c", "name": "c",
                "instances": [{"attributes": {"id": "5"}}]},
        ]});
        let unstored = [
            "creating d.d",
            "storing that module.m[\"k\"].b.b was created",
            "storing that module.m[\"k\"].b.b was destroyed",
        ];
        assert_eq!(told(&state.to_string()), unstored);
        let created = ["a.a[0]", "module.m[\"k\"].b.b"];
        let created = created.map(|address| format!("storing that {address} was created"));
        let all = ["creating d.d", &*created[0], &*created[1]];
        assert_eq!(told(""), all);
        // What cannot be read tells nothing.
        assert_eq!(told("{\"version\": 4"), ["creating d.d"]);
        assert_eq!(told("{\"encrypted_data\": \"x\"}"), ["creating d.d"]);
        fs::remove_file(&file).unwrap();
        assert_eq!(in_flight.told(Some(&file)), all);
    }
}
