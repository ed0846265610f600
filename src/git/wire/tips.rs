//! The listing of references (`ls-refs` of protocol version 2).

use super::super::tips::Tips;
use super::http::Service;
use super::packet::{Message, Packet, line, packets};
use super::{Unserved, Wire};

impl Wire<'_> {
    /// Where the branches stand, and what dayfly keeps beside them. The request is made without
    /// asking what the server can do: one that does not know it says so, and nothing is lost.
    pub(in super::super) fn tips(&self) -> Result<Tips, Unserved> {
        let message = Message::default()
            .line("command=ls-refs")
            .delimiter()
            .lines(["symrefs", "ref-prefix HEAD", "ref-prefix refs/heads/"])
            .line("ref-prefix refs/dayfly/")
            .flush();
        let answer = self.ask(Service::UploadPack, &message)?;
        let mut tips = Tips::default();
        for packet in packets(&answer) {
            match packet? {
                Packet::Data(data) => note(&mut tips, line(data))?,
                Packet::Flush => return Ok(tips),
                Packet::Delimiter => break,
            }
        }
        Err(Unserved::because("the listing has no end"))
    }
}

/// `<id> <name>`, of HEAD also ` symref-target:<name>`.
fn note(tips: &mut Tips, line: &[u8]) -> Result<(), Unserved> {
    // As in `Tips`: a name that is no UTF-8 is left out.
    let Ok(line) = std::str::from_utf8(line) else {
        return Ok(());
    };
    let unknown = || Unserved::because(format!("the listing says {line:?}"));
    let mut words = line.split(' ');
    let (id, name) = words.next().zip(words.next()).ok_or_else(unknown)?;
    let target = words.find_map(|word| word.strip_prefix("symref-target:refs/heads/"));
    if let ("HEAD", Some(branch)) = (name, target) {
        tips.head = Some(branch.to_owned());
    }
    tips.note(name, id.parse().map_err(|_| unknown())?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read() {
        let a = "a".repeat(40);
        let mut tips = Tips::default();
        for words in [
            "HEAD symref-target:refs/heads/main",
            "refs/heads/main",
            "refs/heads/feat/é\"x\"",
            "refs/dayfly/gate",
            "refs/tags/v1",
        ] {
            note(&mut tips, format!("{a} {words}").as_bytes()).unwrap();
        }
        note(&mut tips, &[a.as_bytes(), b" refs/heads/\xff"].concat()).unwrap();
        assert_eq!(tips.head.as_deref(), Some("main"));
        let branches: Vec<_> = tips.branches.keys().collect();
        assert_eq!(branches, ["feat/é\"x\"", "main"]);
        let references: Vec<_> = tips.references.keys().collect();
        assert_eq!(references, ["refs/dayfly/gate"]);
        for foreign in ["", "ERR no", "unborn HEAD symref-target:refs/heads/main"] {
            assert!(note(&mut tips, foreign.as_bytes()).is_err(), "{foreign}");
        }
    }
}
