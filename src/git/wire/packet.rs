//! Git's packets ("pkt-lines"): four hex digits of length, then that much.
//! Source: gitprotocol-common(5), gitprotocol-v2(5).

use super::Unserved;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Data(&'a [u8]),
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a section.
    Delimiter,
}

/// A message in the making.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn line(mut self, line: impl AsRef<[u8]>) -> Self {
        let line = line.as_ref();
        self.0
            .extend(format!("{:04x}", line.len() + 5).into_bytes());
        self.0.extend(line);
        self.0.push(b'\n');
        self
    }

    pub(super) fn lines<L: AsRef<[u8]>>(self, lines: impl IntoIterator<Item = L>) -> Self {
        lines.into_iter().fold(self, Self::line)
    }

    pub(super) fn delimiter(mut self) -> Self {
        self.0.extend(b"0001");
        self
    }

    /// The whole message.
    pub(super) fn flush(mut self) -> Vec<u8> {
        self.0.extend(b"0000");
        self.0
    }
}

/// The packets of an answer, in order. One that is cut off or no packet is an error, and the last.
pub(super) fn packets(answer: &[u8]) -> impl Iterator<Item = Result<Packet<'_>, Unserved>> {
    let mut rest = Some(answer);
    std::iter::from_fn(move || {
        let bytes = rest.filter(|bytes| !bytes.is_empty())?;
        let (packet, left) = match split(bytes) {
            Some((packet, left)) => (Ok(packet), Some(left)),
            None => (Err(Unserved::because("the answer is no Git packet")), None),
        };
        rest = left;
        Some(packet)
    })
}

fn split(bytes: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let (length, rest) = bytes.split_at_checked(4)?;
    let length = std::str::from_utf8(length).ok()?;
    match usize::from_str_radix(length, 16).ok()? {
        0 => Some((Packet::Flush, rest)),
        1 => Some((Packet::Delimiter, rest)),
        length => {
            let (data, rest) = rest.split_at_checked(length.checked_sub(4)?)?;
            Some((Packet::Data(data), rest))
        }
    }
}

/// The line that a packet holds, without its end.
pub(super) fn line(data: &[u8]) -> &[u8] {
    data.strip_suffix(b"\n").unwrap_or(data)
}

/// Which of a server's three voices a packet of a multiplexed answer is in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Voice<'a> {
    Data(&'a [u8]),
    /// For a person.
    Progress(&'a [u8]),
    /// The last words.
    Error(&'a [u8]),
}

pub(super) fn voice(data: &[u8]) -> Result<Voice<'_>, Unserved> {
    match data.split_first() {
        Some((1, data)) => Ok(Voice::Data(data)),
        Some((2, words)) => Ok(Voice::Progress(words)),
        Some((3, words)) => Ok(Voice::Error(words)),
        _ => Err(Unserved::because("the answer is not multiplexed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let message = Message::default()
            .line("command=ls-refs")
            .delimiter()
            .lines(["peel", "symrefs"])
            .flush();
        assert_eq!(
            message,
            b"0014command=ls-refs\n00010009peel\n000csymrefs\n0000"
        );
        let read: Vec<_> = packets(&message).collect::<Result<_, _>>().unwrap();
        assert_eq!(
            read,
            [
                Packet::Data(b"command=ls-refs\n"),
                Packet::Delimiter,
                Packet::Data(b"peel\n"),
                Packet::Data(b"symrefs\n"),
                Packet::Flush
            ]
        );
    }

    #[test]
    fn what_is_no_packet_is_told_once() {
        for answer in ["0", "zzzz", "0003", "0008ab", "<html>", "00\u{e9}", "+00a"] {
            let read: Vec<_> = packets(answer.as_bytes()).collect();
            assert!(matches!(read[..], [Err(_)]), "{answer}: {read:?}");
        }
    }
}
