//! A fetch of commits by their ids (`fetch` of protocol version 2).

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use git2::{Indexer, Odb, Oid};
use tempfile::NamedTempFile;

use super::super::transfer::Extent;
use super::super::words;
use super::http::Service;
use super::packet::{Message, Packet, Voice, line, packets, voice};
use super::{Unserved, Wire};

/// A pack of fewer objects is taken apart; git's own default.
const FEW_OBJECTS: u32 = 100;

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

    /// Brings `tip` whole into `repository`, and none of its history. What `from` holds is here whole,
    /// and left out.
    pub(in super::super) fn fetch_whole(
        &self,
        repository: &git2::Repository,
        tip: Oid,
        from: Oid,
    ) -> Result<(), Unserved> {
        let unkept = |error: KeepError| Unserved::because(error.to_string());
        let shallow = shallow(repository.path()).map_err(|error| unkept(error.into()))?;
        let answer = self.ask(Service::UploadPack, &request_of_whole(tip, from, &shallow))?;
        let answer = read(&answer)?.map_err(Unserved::because)?;
        keep_whole(repository, &answer).map_err(unkept)
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

/// The server is told where the history ends that is here: it may not count on what lies before. All other
/// ends lie before `from` where it is one itself, as after each fetch of this kind.
fn request_of_whole(tip: Oid, from: Oid, shallow: &str) -> Vec<u8> {
    let own = from.to_string();
    let is_end = shallow.lines().any(|id| id == own);
    let ends = shallow.lines().filter(|id| !is_end || *id == own);
    Message::default()
        .line("command=fetch")
        .delimiter()
        .lines(["ofs-delta", "thin-pack", "no-progress"])
        .line(format!("want {tip}"))
        .lines(ends.map(|id| format!("shallow {id}")))
        .line("deepen 1")
        .line(format!("have {from}"))
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

/// Puts what is whole into the repository: few objects one by one, as `git fetch` does, for a look into
/// many small packs takes longer.
fn keep_whole(repository: &git2::Repository, answer: &Answer) -> Result<(), KeepError> {
    let objects = repository.odb()?;
    let count = answer.pack.get(8..12).and_then(|it| it.try_into().ok());
    let count = u32::from_be_bytes(count.unwrap_or_default());
    let index = |packs: &Path| -> Result<(), git2::Error> {
        let mut indexer = Indexer::new(Some(&objects), packs, 0o444, false)?;
        indexer
            .write_all(&answer.pack)
            .map_err(|error| git2::Error::from_str(&error.to_string()))?;
        indexer.commit().map(drop)
    };
    if count < FEW_OBJECTS {
        // Not beside them, where a kill would leave it for good.
        let beside = tempfile::tempdir()?;
        let packs = beside.path().join("pack");
        std::fs::create_dir(&packs)?;
        index(&packs)?;
        let fetched = Odb::new()?;
        fetched.add_disk_alternate(&beside.path().to_string_lossy())?;
        let mut ids = Vec::new();
        fetched.foreach(|id| {
            ids.push(*id);
            true
        })?;
        for id in ids {
            let object = fetched.read(id)?;
            objects.write(object.kind(), object.data())?;
        }
    } else {
        index(&repository.path().join("objects/pack"))?;
    }
    note_shallow(repository.path(), &answer.shallow)
}

/// Where the history ends that is here, an id per line.
fn shallow(directory: &Path) -> io::Result<String> {
    match std::fs::read_to_string(directory.join("shallow")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        known => known,
    }
}

fn note_shallow(directory: &Path, shallow: &BTreeSet<String>) -> Result<(), KeepError> {
    let path = directory.join("shallow");
    let known = self::shallow(directory)?;
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
