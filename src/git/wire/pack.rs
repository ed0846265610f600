//! A pack of a few objects. Source: gitformat-pack(5).

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use git2::{ObjectType, Oid};
use sha1::{Digest, Sha1};

/// One object of a pack.
pub(super) struct Object {
    pub(super) kind: ObjectType,
    pub(super) content: Vec<u8>,
    /// An object that the receiver has, or finds in the same pack, and that is much the same.
    pub(super) base: Option<(Oid, Vec<u8>)>,
}

const REFERENCE_DELTA: u8 = 7;
/// What a delta saves on less is not worth a look.
const SMALLEST_DELTA: usize = 256;
/// The most that one instruction of a delta copies, and inserts.
const LONGEST_COPY: usize = 0xffff;
const LONGEST_INSERT: usize = 0x7f;

/// The pack's bytes.
pub(super) fn pack(objects: &[Object]) -> io::Result<Vec<u8>> {
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    let count = u32::try_from(objects.len()).map_err(io::Error::other)?;
    pack.extend(count.to_be_bytes());
    for object in objects {
        let delta = match &object.base {
            Some((id, base)) if object.content.len() >= SMALLEST_DELTA => {
                Some((id, delta(base, &object.content)))
            }
            _ => None,
        };
        match &delta {
            Some((id, delta)) => {
                pack.extend(header(REFERENCE_DELTA, delta.len()));
                pack.extend(id.as_bytes());
                deflate(&mut pack, delta)?;
            }
            None => {
                pack.extend(header(number(object.kind), object.content.len()));
                deflate(&mut pack, &object.content)?;
            }
        }
    }
    let digest = Sha1::digest(&pack);
    pack.extend(digest);
    Ok(pack)
}

fn number(kind: ObjectType) -> u8 {
    match kind {
        ObjectType::Tree => 2,
        ObjectType::Blob => 3,
        ObjectType::Tag => 4,
        ObjectType::Commit | ObjectType::Any => 1,
    }
}

/// Four bits of length beside the kind, then seven at a time.
fn header(kind: u8, length: usize) -> Vec<u8> {
    let mut header = Vec::new();
    let mut byte = kind << 4 | (length & 0x0f) as u8;
    let mut rest = length >> 4;
    while rest > 0 {
        header.push(byte | 0x80);
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    header.push(byte);
    header
}

fn deflate(pack: &mut Vec<u8>, content: &[u8]) -> io::Result<()> {
    let mut encoder = ZlibEncoder::new(pack, Compression::default());
    encoder.write_all(content)?;
    encoder.finish().map(|_| ())
}

/// How `base` becomes `content`: what both begin and end with is copied, what is between inserted.
/// A directory with one file more, less or changed is just so.
fn delta(base: &[u8], content: &[u8]) -> Vec<u8> {
    let same =
        |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| pairs.take_while(|(a, b)| a == b).count();
    let start = same(&mut base.iter().zip(content));
    let rest = (&base[start..], &content[start..]);
    let end = same(&mut rest.0.iter().rev().zip(rest.1.iter().rev()));
    let mut delta = length(base.len());
    delta.extend(length(content.len()));
    copy(&mut delta, 0, start);
    for inserted in content[start..content.len() - end].chunks(LONGEST_INSERT) {
        delta.push(inserted.len() as u8);
        delta.extend(inserted);
    }
    copy(&mut delta, base.len() - end, end);
    delta
}

fn length(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while length > 0x7f {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes
}

/// Instructions that copy: a bit for each byte of offset and size that is not zero.
fn copy(delta: &mut Vec<u8>, from: usize, length: usize) {
    let mut done = 0;
    while done < length {
        let size = (length - done).min(LONGEST_COPY);
        let offset = from + done;
        let at = delta.len();
        delta.push(0x80);
        let bytes = (0..4).map(|byte| offset >> (8 * byte));
        let bytes = bytes.chain((0..2).map(|byte| size >> (8 * byte)));
        for (bit, byte) in bytes.enumerate() {
            let byte = (byte & 0xff) as u8;
            if byte != 0 {
                delta[at] |= 1 << bit;
                delta.push(byte);
            }
        }
        done += size;
    }
}

#[cfg(test)]
mod tests {
    use git2::{Indexer, Repository};
    use proptest::prelude::*;

    use super::*;

    /// What libgit2 reads out of a pack with `content`, told by its difference to `base`.
    fn unpacked(base: &[u8], content: &[u8]) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let base_id = repository.blob(base).unwrap();
        let objects = repository.odb().unwrap();
        let object = Object {
            kind: ObjectType::Blob,
            content: content.to_owned(),
            base: Some((base_id, base.to_owned())),
        };
        let packs = directory.path().join("objects/pack");
        let mut indexer = Indexer::new(Some(&objects), &packs, 0o444, true).unwrap();
        indexer.write_all(&pack(&[object]).unwrap()).unwrap();
        indexer.commit().unwrap();
        let id = Oid::hash_object(ObjectType::Blob, content).unwrap();
        objects.read(id).unwrap().data().to_owned()
    }

    #[test]
    fn a_directory_with_one_more_file_is_little() {
        let names = |count: u32| -> Vec<u8> {
            let digest = |number: u32| Sha1::digest(number.to_be_bytes());
            (0..count).flat_map(|n| digest(n).to_vec()).collect()
        };
        let (base, content) = (names(20_000), names(20_001));
        assert!(delta(&base, &content).len() < 100);
        assert_eq!(unpacked(&base, &content), content);
        assert_eq!(unpacked(&content, &base), base);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_difference_is_told(
            start in proptest::collection::vec(any::<u8>(), 0..70_000),
            (old, new) in (proptest::collection::vec(any::<u8>(), 0..400), proptest::collection::vec(any::<u8>(), 1..400)),
            end in proptest::collection::vec(0..2u8, 0..300),
        ) {
            let base = [&start[..], &old, &end].concat();
            let content = [&start[..], &new, &end].concat();
            prop_assert_eq!(unpacked(&base, &content), content);
        }
    }
}
