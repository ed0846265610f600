//! One comment for each pull request and service: what brings those that stand to one that tells
//! the newest.

use sha2::{Digest, Sha256};

use super::{Report, Telling};
use crate::clock::Time;

const MARKER: &str = "<!-- dayfly:comment ";
const END: &str = " -->\n";

/// When the news of a comment happened, and which of those of one second counts: an end is told
/// after what it ended, and a return after the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    at: Option<Time>,
    rank: u8,
}

/// The comment that is to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    key: String,
    news: News,
    text: String,
    may_begin: bool,
    /// Whatever stands says more.
    gives_way: bool,
}

/// A comment as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: u64,
    pub body: String,
}

/// What is to be done with the comments of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Nothing,
    Create(String),
    Settle {
        /// The comment that stays, and its new body.
        edit: Option<(u64, String)>,
        delete: Vec<u64>,
    },
}

/// What tells the comments of one service of one manager repository from others: `manager` names
/// the repository, however it is reached.
pub fn key(manager: &str, service: &str) -> String {
    let digest = Sha256::digest(format!("{manager}\0{service}"));
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl News {
    pub(super) fn new(at: Option<Time>, is_end: bool, is_return: bool) -> Self {
        let rank = match (is_end, is_return) {
            (_, true) => 2,
            (true, false) => 1,
            (false, false) => 0,
        };
        Self { at, rank }
    }

    /// Whether it may take the place of `other`. Without a time the last to arrive wins.
    fn is_as_new_as(self, other: Self) -> bool {
        match (self.at, other.at) {
            (Some(own), Some(other_at)) => (own, self.rank) >= (other_at, other.rank),
            _ => true,
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (at, rank) = text.split_once(' ')?;
        let at = match at {
            "-" => None,
            at => Some(at.parse().ok()?),
        };
        Some(Self {
            at,
            rank: rank.parse().ok()?,
        })
    }

    fn written(self) -> String {
        let at = self.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        format!("{at} {}", self.rank)
    }
}

impl Draft {
    /// The comment for `report`; `None` where it is told to nobody.
    pub fn new(report: &Report, key: String, telling: Telling) -> Option<Self> {
        (telling != Telling::Never).then(|| Self {
            key,
            news: report.news,
            text: report.comment(),
            may_begin: matches!(telling, Telling::Always | Telling::IfNeverTold),
            gives_way: telling == Telling::IfNeverTold,
        })
    }

    /// Whether a body is one of this comment's: begins with its marker. Who quotes one does not.
    pub fn marks(&self, body: &str) -> bool {
        self.read(body).is_some()
    }

    fn read<'a>(&self, body: &'a str) -> Option<(News, &'a str)> {
        let rest = body.strip_prefix(MARKER)?.strip_prefix(&self.key)?;
        let (news, text) = rest.strip_prefix(' ')?.split_once(END.trim_end())?;
        Some((News::read(news)?, text))
    }

    fn body(&self) -> String {
        format!(
            "{MARKER}{} {}{END}{}",
            self.key,
            self.news.written(),
            self.text
        )
    }

    /// What is to be done where `own` are all the comments of one's own that stand. The oldest
    /// stays; the newest news of all that were ever seen goes into it.
    pub fn step(&mut self, own: &[Seen]) -> Step {
        let mut own: Vec<&Seen> = own.iter().collect();
        own.sort_by_key(|seen| seen.id);
        for seen in &own {
            if let Some((news, text)) = self.read(&seen.body)
                && (self.gives_way || !self.news.is_as_new_as(news))
            {
                self.gives_way = false;
                self.text = text.trim_start_matches(['\r', '\n']).to_owned();
                self.news = news;
            }
        }
        let Some((kept, others)) = own.split_first() else {
            return match self.may_begin {
                true => Step::Create(self.body()),
                false => Step::Nothing,
            };
        };
        let shown = self
            .read(&kept.body)
            .map(|(_, text)| text)
            .unwrap_or_default();
        let edit = (!reads_the_same(shown, &self.text)).then(|| (kept.id, self.body()));
        let delete: Vec<u64> = others.iter().map(|seen| seen.id).collect();
        match (&edit, delete.is_empty()) {
            (None, true) => Step::Nothing,
            _ => Step::Settle { edit, delete },
        }
    }
}

/// Servers and people change the ends of lines.
fn reads_the_same(one: &str, other: &str) -> bool {
    one.trim().lines().eq(other.trim().lines())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(second: i64, rank: u8, text: &str) -> Draft {
        Draft {
            key: key("github.com/acme/previews", "hello"),
            news: News {
                at: Time::from_second(second).ok(),
                rank,
            },
            text: text.to_owned(),
            may_begin: true,
            gives_way: false,
        }
    }

    fn seen(id: u64, draft: &Draft) -> Seen {
        Seen {
            id,
            body: draft.body(),
        }
    }

    #[test]
    fn the_oldest_stays_and_tells_the_newest() {
        let (old, new, newer) = (draft(1, 0, "old"), draft(2, 0, "new"), draft(3, 0, "newer"));
        let edit = |id, draft: &Draft| Some((id, draft.body()));
        for (mut own, standing, expected) in [
            (new.clone(), vec![], Step::Create(new.body())),
            (new.clone(), vec![seen(7, &new)], Step::Nothing),
            (
                new.clone(),
                vec![seen(7, &old)],
                Step::Settle {
                    edit: edit(7, &new),
                    delete: vec![],
                },
            ),
            // A late job changes nothing.
            (old.clone(), vec![seen(7, &new)], Step::Nothing),
            // Two were begun at once: whoever sees both leaves the same one.
            (
                new.clone(),
                vec![seen(8, &old), seen(7, &new)],
                Step::Settle {
                    edit: None,
                    delete: vec![8],
                },
            ),
            (
                old.clone(),
                vec![seen(9, &newer), seen(7, &old), seen(8, &new)],
                Step::Settle {
                    edit: edit(7, &newer),
                    delete: vec![8, 9],
                },
            ),
        ] {
            assert_eq!(own.step(&standing), expected);
        }
        // What was seen once is not lost with its comment.
        let mut job = old.clone();
        job.step(&[seen(7, &old), seen(8, &newer)]);
        let expected = Step::Settle {
            edit: edit(6, &newer),
            delete: vec![],
        };
        assert_eq!(job.step(&[seen(6, &new)]), expected);
    }

    #[test]
    fn of_one_second_an_end_counts_and_a_return_more() {
        let (taken, end, again) = (
            draft(5, 0, "taken"),
            draft(5, 1, "end"),
            draft(5, 2, "again"),
        );
        for (own, standing, is_told) in [
            (&end, &taken, true),
            (&taken, &end, false),
            (&again, &end, true),
            (&end, &again, false),
        ] {
            let step = own.clone().step(&[seen(1, standing)]);
            assert_eq!(step != Step::Nothing, is_told, "{own:?} {standing:?}");
        }
        let mut untimed = draft(1, 0, "untimed");
        untimed.news.at = None;
        assert_ne!(untimed.step(&[seen(1, &end)]), Step::Nothing);
        assert_ne!(taken.clone().step(&[seen(1, &untimed)]), Step::Nothing);
    }

    #[test]
    fn an_equal_text_is_no_news() {
        let old = draft(1, 0, "a\n\n- b\n");
        let mut edited = seen(1, &old);
        edited.body = edited.body.replace('\n', "\r\n").trim_end().to_owned();
        assert_eq!(draft(2, 0, "a\n\n- b\n").step(&[edited]), Step::Nothing);
        let mut reserved = draft(1, 0, "x");
        let mut late = draft(9, 0, "unchanged");
        late.gives_way = true;
        assert_eq!(late.clone().step(&[seen(7, &old)]), Step::Nothing);
        assert_eq!(late.step(&[]), Step::Create(late.body()));
        reserved.may_begin = false;
        assert_eq!(reserved.step(&[]), Step::Nothing);
        assert_ne!(reserved.step(&[seen(1, &old)]), Step::Nothing);
    }

    #[test]
    fn only_its_own_marker_marks() {
        let own = draft(1, 0, "x");
        let body = own.body();
        assert!(own.marks(&body));
        let other = Draft {
            key: key("github.com/acme/previews", "other"),
            ..own.clone()
        };
        for no in [
            format!("> {body}"),
            format!("x\n{body}"),
            format!(" {body}"),
            other.body(),
            body.replace("1970", "x"),
            body.replace("-->", ""),
            String::new(),
        ] {
            assert!(!own.marks(&no), "{no}");
        }
        assert_ne!(key("a", "b/c"), key("a/b", "c"));
    }
}
