//! A fetch of commits by their ids (`fetch` of protocol version 2).

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use git2::{Indexer, Oid};
use tempfile::NamedTempFile;

use super::super::transfer::Extent;
use super::super::words;
use super::http::Service;
use super::packet::{Message, Packet, Voice, line, packets, voice};
use super::{Unserved, Wire};

/// What a server gave.
#[derive(Debug, Default)]
struct Answer {
    pack: Vec<u8>,
    /// The commits whose parents were left out.
    shallow: BTreeSet<String>,
}

impl Wire<'_> {
    /// Brings `wanted` (commits, or single objects) into `repository`, with so many commits of
    /// history each, and of them no more than `extent`.
    pub(in super::super) fn fetch(
        &self,
        repository: &git2::Repository,
        wanted: &[Oid],
        depth: Option<u32>,
        extent: Extent,
    ) -> Result<(), Unserved> {
        let filters = extent.filters().iter().map(Some).chain([None]);
        for filter in filters {
            let message = request(wanted, depth, filter.copied());
            let answer = self.ask(Service::UploadPack, &message)?;
            match read(&answer)? {
                Ok(answer) => {
                    let kept = keep(repository, &answer, self.remote.address());
                    return kept.map_err(|error| Unserved::because(error.to_string()));
                }
                Err(refusal) if filter.is_some() && words::refuses_filter(&refusal) => {}
                Err(refusal) => return Err(Unserved::because(refusal)),
            }
        }
        Err(Unserved::because("every filter was refused"))
    }
}

fn request(wanted: &[Oid], depth: Option<u32>, filter: Option<&str>) -> Vec<u8> {
    Message::default()
        .line("command=fetch")
        .delimiter()
        .lines(["ofs-delta", "no-progress"])
        .lines(wanted.iter().map(|id| format!("want {id}")))
        .lines(depth.map(|commits| format!("deepen {commits}")))
        .lines(filter.map(|filter| format!("filter {filter}")))
        // What is here is of no use to the server: it is little.
        .line("done")
        .flush()
}

/// The answer, or the server's refusal.
fn read(answer: &[u8]) -> Result<Result<Answer, String>, Unserved> {
    let mut read = Answer::default();
    let mut is_pack = false;
    for packet in packets(answer) {
        match packet? {
            Packet::Data(data) if is_pack => match voice(data)? {
                Voice::Data(data) => read.pack.extend(data),
                Voice::Progress(_) => {}
                Voice::Error(words) => return Ok(Err(String::from_utf8_lossy(words).into())),
            },
            Packet::Data(data) => {
                let line = String::from_utf8_lossy(line(data));
                match line.split_once(' ') {
                    None if line == "packfile" => is_pack = true,
                    None if line == "shallow-info" => {}
                    Some(("shallow", id)) => {
                        let id = Oid::from_str(id).map_err(|_| Unserved::because(&*line))?;
                        read.shallow.insert(id.to_string());
                    }
                    Some(("ERR", words)) => return Ok(Err(words.to_owned())),
                    _ => return Err(Unserved::because(format!("the fetch answers {line:?}"))),
                }
            }
            Packet::Delimiter => {}
            Packet::Flush if is_pack => return Ok(Ok(read)),
            Packet::Flush => break,
        }
    }
    Err(Unserved::because("the fetch has no end"))
}

/// Puts it into the repository as `git fetch` would, so that the command can go on from there.
fn keep(repository: &git2::Repository, answer: &Answer, address: &str) -> Result<(), KeepError> {
    let objects = repository.odb()?;
    let packs = repository.path().join("objects/pack");
    // Not verified: that would miss what was left out on purpose.
    let mut indexer = Indexer::new(Some(&objects), &packs, 0o444, false)?;
    indexer.write_all(&answer.pack)?;
    let name = indexer.commit()?;
    std::fs::write(packs.join(format!("pack-{name}.promisor")), "")?;
    // Where git gets from what was left out.
    let promisor = format!("remote.{address}.promisor");
    repository.config()?.set_bool(&promisor, true)?;
    note_shallow(repository.path(), &answer.shallow)
}

fn note_shallow(directory: &Path, shallow: &BTreeSet<String>) -> Result<(), KeepError> {
    let path = directory.join("shallow");
    let known = match std::fs::read_to_string(&path) {
        Ok(known) => known,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error.into()),
    };
    let all: BTreeSet<&str> = known
        .lines()
        .chain(shallow.iter().map(String::as_str))
        .collect();
    let mut file = NamedTempFile::new_in(directory)?;
    for id in all {
        writeln!(file, "{id}")?;
    }
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("what was fetched is no pack: {0}")]
    Pack(#[from] git2::Error),
    #[error("what was fetched cannot be kept: {0}")]
    Disk(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(packets: &[&[u8]]) -> Vec<u8> {
        let packet = |data: &&[u8]| [format!("{:04x}", data.len() + 4).as_bytes(), data].concat();
        packets.iter().flat_map(packet).collect()
    }

    #[test]
    fn an_answer_is_read_to_its_end() {
        let packets: [&[u8]; 6] = [
            b"shallow-info\n",
            b"shallow aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
            b"packfile\n",
            b"\x02counting",
            b"\x01PA",
            b"\x01CK",
        ];
        let whole = answer(&packets);
        assert!(read(&whole).is_err(), "the end is missing");
        let read_whole = read(&[&whole[..], b"0000"].concat()).unwrap().unwrap();
        assert_eq!(read_whole.pack, b"PACK");
        assert!(read_whole.shallow.iter().eq([&"a".repeat(40)]));
        assert!(read(&answer(&[b"shallow ../x\n"])).is_err());
        let refusals: [&[&[u8]]; 2] = [&[b"ERR no\n"], &[b"packfile\n", b"\x03no"]];
        for refusal in refusals {
            assert_eq!(read(&answer(refusal)).unwrap().unwrap_err(), "no");
        }
        assert!(read(b"0000").is_err());
        assert!(read(&answer(&[b"acknowledgments\n"])).is_err());
    }
}
