//! A push of references from where they are expected to be (git-receive-pack).
//! Source: gitprotocol-pack(5), "Pushing Data To a Server".

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write;

use git2::{Oid, Repository};

use super::super::commit_id::CommitId;
use super::super::update::Update;
use super::http::{Service, Silence};
use super::objects::missing;
use super::pack::pack;
use super::packet::{Message, Packet, Voice, line, packets, voice};
use super::{Unserved, Wire};

/// How a push ended.
pub(in super::super) enum Pushed {
    /// What the server reports, in the words of `git push --porcelain`, and what it said beside.
    Reported { report: String, said: String },
    /// A reference is not where it was expected to be: nothing was sent.
    LostRace,
    /// What the server did is not known, and why.
    Unheard(String),
}

/// What a server says before a push.
#[derive(Default)]
struct Advertisement {
    references: BTreeMap<String, String>,
    abilities: BTreeSet<String>,
}

const NOWHERE: &str = "0000000000000000000000000000000000000000";
const AGENT: &str = concat!("agent=dayfly/", env!("CARGO_PKG_VERSION"));

impl Wire<'_> {
    /// Moves, makes and removes references, all of them if `is_atomic` or none, with the objects
    /// that they need from `repository`.
    pub(in super::super) fn push(
        &self,
        repository: &Repository,
        updates: &[Update],
        is_atomic: bool,
    ) -> Result<Pushed, Unserved> {
        let server = Advertisement::read(&self.advertisement(Service::ReceivePack)?)?;
        let removes = updates.iter().any(|update| update.to.is_none());
        let needed = [
            ("report-status", true),
            ("atomic", is_atomic),
            ("delete-refs", removes),
        ];
        for (ability, is_needed) in needed {
            if is_needed && !server.abilities.contains(ability) {
                return Err(Unserved::because(format!("the server has no {ability}")));
            }
        }
        // What stands as asked already was pushed before, and the answer got lost.
        let (done, updates): (Vec<_>, Vec<_>) =
            updates.iter().partition(|update| server.has(update));
        if updates.iter().any(|update| !server.agrees(update)) {
            return Ok(Pushed::LostRace);
        }
        if updates.is_empty() {
            let lines = done
                .iter()
                .map(|update| report_line("=", &update.name, "[up to date]"));
            return Ok(Pushed::Reported {
                report: lines.collect(),
                said: String::new(),
            });
        }
        let message = server
            .message(repository, &updates, is_atomic)
            .map_err(|error| Unserved::because(error.to_string()))?;
        match self.ask(Service::ReceivePack, &message) {
            Ok(answer) => Ok(report(&answer, server.is_multiplexed(), &updates)),
            Err(Silence::Unserved(unserved)) => Err(unserved),
            Err(Silence::Unheard(reason)) => Ok(Pushed::Unheard(reason)),
        }
    }
}

impl Advertisement {
    fn read(answer: &[u8]) -> Result<Self, Unserved> {
        let mut read = Self::default();
        let mut packets = packets(answer).peekable();
        // A line that names the service, and the end of that.
        let preface = packets.next_if(|packet| matches!(packet, Ok(Packet::Data([b'#', ..]))));
        if preface.is_some() {
            packets.next();
        }
        for packet in packets {
            let Packet::Data(data) = packet? else {
                let format = read
                    .abilities
                    .iter()
                    .find(|a| a.starts_with("object-format="));
                return match format.map(String::as_str) {
                    None | Some("object-format=sha1") => Ok(read),
                    Some(format) => Err(Unserved::because(format)),
                };
            };
            let line = String::from_utf8_lossy(line(data));
            let (line, abilities) = line.split_once('\0').unwrap_or((&line, ""));
            let abilities = abilities.split(' ').filter(|ability| !ability.is_empty());
            read.abilities.extend(abilities.map(str::to_owned));
            match line.split_once(' ') {
                // `.have` and `capabilities^{}` are no references.
                Some((id, name)) if name.starts_with("refs/") => {
                    read.references.insert(name.to_owned(), id.to_owned());
                }
                Some(_) => {}
                None => return Err(Unserved::because(format!("the server says {line:?}"))),
            }
        }
        Err(Unserved::because("the server's references have no end"))
    }

    fn is_multiplexed(&self) -> bool {
        self.abilities.contains("side-band-64k")
    }

    /// Whether the reference is where it is to be.
    fn has(&self, update: &Update) -> bool {
        let stands = self.references.get(&update.name).map(String::as_str);
        update.to.is_some() && stands == update.to.as_ref().map(CommitId::as_str)
    }

    /// Whether the reference is where it is expected to be.
    fn agrees(&self, update: &Update) -> bool {
        let stands = self.references.get(&update.name).map(String::as_str);
        stands == update.from.as_ref().map(|id| id.as_str())
    }

    fn message(
        &self,
        repository: &Repository,
        updates: &[&Update],
        is_atomic: bool,
    ) -> Result<Vec<u8>, MessageError> {
        let mut abilities = vec!["report-status", AGENT];
        abilities.extend(is_atomic.then_some("atomic"));
        abilities.extend(self.is_multiplexed().then_some("side-band-64k"));
        let format = "object-format=sha1";
        abilities.extend(self.abilities.contains(format).then_some(format));
        let lines = updates.iter().enumerate().map(|(number, update)| {
            let id = |id: &Option<_>| id.as_ref().map_or(NOWHERE, CommitId::as_str).to_owned();
            let step = format!("{} {} {}", id(&update.from), id(&update.to), update.name);
            match number {
                0 => format!("{step}\0{}", abilities.join(" ")),
                _ => step,
            }
        });
        let mut message = Message::default().lines(lines).flush();
        let new = updates.iter().filter_map(|update| update.to.as_ref());
        let new: Vec<Oid> = new
            .map(|id| Oid::from_str(id.as_str()))
            .collect::<Result<_, _>>()?;
        if !new.is_empty() {
            let there = self.references.values();
            let mut known: HashSet<Oid> = there.filter_map(|id| Oid::from_str(id).ok()).collect();
            known.extend(fetched(repository));
            let mut objects = missing(repository, &new, &known)?;
            if self.abilities.contains("no-thin") {
                for object in &mut objects {
                    object.base = None;
                }
            }
            message.extend(pack(&objects)?);
        }
        Ok(message)
    }
}

/// The commits that were fetched without what is before them.
fn fetched(repository: &Repository) -> Vec<Oid> {
    let shallow = std::fs::read_to_string(repository.path().join("shallow")).unwrap_or_default();
    shallow
        .lines()
        .filter_map(|id| Oid::from_str(id).ok())
        .collect()
}

#[derive(Debug, thiserror::Error)]
enum MessageError {
    #[error("an object cannot be read: {0}")]
    Object(#[from] git2::Error),
    #[error("a pack cannot be made: {0}")]
    Pack(#[from] std::io::Error),
}

/// As `git push --porcelain` says it.
fn report_line(flag: &str, name: &str, summary: &str) -> String {
    format!("{flag}\t:{name}\t{summary}\n")
}

fn report(answer: &[u8], is_multiplexed: bool, updates: &[&Update]) -> Pushed {
    let unheard = |Unserved(reason)| Pushed::Unheard(reason);
    let (mut status, mut said) = (Vec::new(), Vec::new());
    for packet in packets(answer).filter(|_| is_multiplexed) {
        let voice = packet.and_then(|packet| match packet {
            Packet::Data(data) => voice(data),
            _ => Ok(Voice::Data(&[])),
        });
        match voice {
            Ok(Voice::Data(data)) => status.extend(data),
            Ok(Voice::Progress(words)) => said.extend(words),
            Ok(Voice::Error(words)) => {
                return Pushed::Unheard(String::from_utf8_lossy(words).into_owned());
            }
            Err(unserved) => return unheard(unserved),
        }
    }
    let mut words = String::new();
    for line in String::from_utf8_lossy(&said).split(['\n', '\r']) {
        let _ = writeln!(words, "remote: {line}");
    }
    let mut report = String::new();
    for packet in packets(if is_multiplexed { &status } else { answer }) {
        let line = match packet {
            Ok(Packet::Data(data)) => String::from_utf8_lossy(line(data)),
            Ok(_) => break,
            Err(unserved) => return unheard(unserved),
        };
        match line.split_once(' ') {
            Some(("ok", name)) => report.push_str(&report_line(" ", name, "[ok]")),
            Some(("ng", failure)) => {
                let (name, reason) = failure.split_once(' ').unwrap_or((failure, "no reason"));
                let reason = format!("[remote rejected] ({reason})");
                report.push_str(&report_line("!", name, &reason));
            }
            Some(("unpack", reason)) if reason != "ok" => {
                let _ = writeln!(words, "remote: unpack failed: {reason}");
            }
            _ => {}
        }
    }
    let is_told = |update: &&Update| report.contains(&format!("\t:{}\t", update.name));
    if !updates.iter().all(is_told) {
        return Pushed::Unheard("the server does not say what became of it".to_owned());
    }
    Pushed::Reported {
        report,
        said: words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(data: &[u8]) -> Vec<u8> {
        [format!("{:04x}", data.len() + 4).as_bytes(), data].concat()
    }

    #[test]
    fn a_server_is_known_by_what_it_advertises() {
        let a = "a".repeat(40);
        let first =
            format!("{a} refs/heads/main\0report-status atomic object-format=sha1 agent=x\n");
        let answer = [
            packet(b"# service=git-receive-pack\n"),
            b"0000".to_vec(),
            packet(first.as_bytes()),
            packet(format!("{a} .have\n").as_bytes()),
            b"0000".to_vec(),
        ];
        let server = Advertisement::read(&answer.concat()).unwrap();
        assert_eq!(
            server.references.keys().collect::<Vec<_>>(),
            ["refs/heads/main"]
        );
        assert!(server.abilities.contains("atomic") && !server.is_multiplexed());
        let update = |name: &str, from: Option<&str>| Update {
            name: name.to_owned(),
            from: from.map(|from| from.parse().unwrap()),
            to: None,
        };
        for (update, agrees) in [
            (update("refs/heads/main", Some(&a)), true),
            (update("refs/heads/main", Some(&"b".repeat(40))), false),
            (update("refs/heads/main", None), false),
            (update("refs/heads/new", None), true),
            (update("refs/heads/new", Some(&a)), false),
        ] {
            assert_eq!(server.agrees(&update), agrees, "{update:?}");
        }
        let cut = answer[..4].concat();
        assert!(Advertisement::read(&cut).is_err());
        let other = packet(format!("{a} refs/heads/main\0object-format=sha256\n").as_bytes());
        assert!(Advertisement::read(&[&other[..], b"0000"].concat()).is_err());
    }

    #[test]
    fn a_report_is_told_in_git_s_words() {
        let status = [
            packet(b"unpack ok\n"),
            packet(b"ok refs/heads/a\n"),
            packet(b"ng refs/heads/b hook declined\n"),
            b"0000".to_vec(),
        ]
        .concat();
        let voices = [
            packet(b"\x02only on Mondays\n"),
            packet(&[b"\x01", &status[..]].concat()),
            b"0000".to_vec(),
        ]
        .concat();
        let updates = ["refs/heads/a", "refs/heads/b"].map(|name| Update {
            name: name.to_owned(),
            from: None,
            to: None,
        });
        let updates: Vec<&Update> = updates.iter().collect();
        let told = " \t:refs/heads/a\t[ok]\n!\t:refs/heads/b\t[remote rejected] (hook declined)\n";
        for (answer, is_multiplexed) in [(&status, false), (&voices, true)] {
            let Pushed::Reported { report, said } = report(answer, is_multiplexed, &updates) else {
                panic!("the server was heard");
            };
            assert_eq!(report, told);
            assert_eq!(said.contains("remote: only on Mondays\n"), is_multiplexed);
        }
        let cut = packet(&[b"\x01", &status[..status.len() / 2]].concat());
        for answer in [&b""[..], b"\x00\x00", &packet(b"\x03out of disk"), &cut] {
            assert!(matches!(report(answer, true, &updates), Pushed::Unheard(_)));
        }
    }
}
