//! What `git` says, understood: pure functions from its words to what they mean.

use super::error::GitError;

/// How the server took a push.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    /// The branch is not where it was expected to be.
    LostRace,
    /// The branch is checked out at the other side.
    CheckedOut,
    /// The server's words.
    Refused(String),
    /// Nothing was said about the branch: the push as a whole failed.
    Unheard,
}

/// Reads the answer to `git push --porcelain`: one verdict for all references.
pub(super) fn verdict(stdout: &str, stderr: &str) -> Verdict {
    if stderr.contains("does not support --atomic") {
        return Verdict::Refused(spoken(stderr));
    }
    let mut verdict = Verdict::Unheard;
    let mut went_down = None;
    for line in reported(stdout) {
        if line.starts_with('!') && line.contains("(atomic ") {
            went_down = Some(line);
            continue;
        }
        match verdict_of(line, stderr) {
            Verdict::Accepted => verdict = Verdict::Accepted,
            // The others failed for this one's sake.
            failed => return failed,
        }
    }
    match went_down {
        // None says why: the server's transaction as a whole failed, most often by a race.
        Some(_) if is_race(stderr) && !is_lasting(stderr) => Verdict::LostRace,
        Some(line) => verdict_of(line, stderr),
        None => verdict,
    }
}

/// The lines of a report that tell of one reference each.
fn reported(stdout: &str) -> impl Iterator<Item = &str> {
    stdout.lines().filter(|line| line.split('\t').count() >= 3)
}

fn verdict_of(line: &str, stderr: &str) -> Verdict {
    let mut fields = line.split('\t');
    if fields.next() != Some("!") {
        return Verdict::Accepted;
    }
    let summary = fields.nth(1).unwrap_or_default();
    let reason = summary
        .split_once('(')
        .map_or(summary, |(_, reason)| reason.trim_end_matches(')'));
    if reason.contains("branch is currently checked out") {
        return Verdict::CheckedOut;
    }
    if summary.starts_with("[remote failure]") {
        return Verdict::Unheard;
    }
    if is_race(reason) && !is_lasting(reason) && !is_lasting(stderr) {
        return Verdict::LostRace;
    }
    let mut words = vec![reason.to_owned()];
    words.extend(
        lines(stderr)
            .filter(|(speaker, _)| *speaker == Speaker::Server)
            .map(|(_, w)| w),
    );
    Verdict::Refused(join(words))
}

/// Another writer was there first, in the words of git, GitHub and others.
fn is_race(reason: &str) -> bool {
    const RACES: [&str; 9] = [
        "fetch first",
        "non-fast-forward",
        "stale info",
        "remote ref updated since checkout",
        "failed to update ref",
        "cannot lock ref",
        "failed to lock",
        "incorrect old value provided",
        "reference already exists",
    ];
    RACES.iter().any(|race| reason.contains(race))
}

/// The same words also stand for what no second try can change.
fn is_lasting(said: &str) -> bool {
    const LASTING: [&str; 5] = [
        "; cannot create",
        "Permission denied",
        "Read-only file system",
        "No space left",
        "exceeded quota",
    ];
    LASTING.iter().any(|cause| said.contains(cause))
}

/// Whether a server refused a fetch for what it was to leave out.
pub(super) fn refuses_filter(stderr: &str) -> bool {
    stderr.lines().any(|line| {
        line.contains("filter")
            && ["not supported", "not allowed", "max depth"]
                .iter()
                .any(|words| line.contains(words))
    })
}

/// Who asks where nothing was given to ask with.
pub(super) const NOBODY: &str = "one who sends no token";

const LOGIN_REFUSED: [&str; 4] = [
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "returned error: 401",
];
const ABSENT: [&str; 3] = [
    "does not exist",
    "Repository not found",
    "returned error: 404",
];

/// Git follows a redirect only where no secret goes with it.
const MOVED: [&str; 4] = [
    "returned error: 301",
    "returned error: 302",
    "returned error: 307",
    "returned error: 308",
];

fn is_refused(stderr: &str) -> bool {
    let others = ["Permission denied", "returned error: 403"];
    let mut texts = LOGIN_REFUSED.iter().chain(&others);
    texts.any(|text| stderr.contains(text))
}

fn is_absent(stderr: &str) -> bool {
    ABSENT.iter().any(|text| stderr.contains(text))
        || lines(stderr)
            .any(|(_, line)| line.starts_with("repository '") && line.contains("' not found"))
}

/// What a server said to who may not: the answer's number, which git's own words only hint at, and
/// the server's words.
fn refusal(stderr: &str) -> String {
    let said = |text: &str| stderr.contains(text);
    let number = match LOGIN_REFUSED.iter().any(|text| said(text)) {
        true => 401,
        false if said("returned error: 403") => 403,
        // Over ssh all that is said is its own.
        false => return spoken(stderr),
    };
    let by_server = lines(stderr).filter(|(speaker, _)| *speaker == Speaker::Server);
    let words = join(by_server.map(|(_, words)| words).collect());
    match words.is_empty() {
        true => format!("the server answered {number}"),
        false => format!("the server answered {number}: {words}"),
    }
}

/// The error that a failed fetch, listing or push as a whole means; `asker` is who asked, where that
/// is known.
pub(super) fn failure(doing: String, stderr: &str, asker: Option<String>) -> GitError {
    let said = |texts: &[&str]| texts.iter().any(|text| stderr.contains(text));
    let words = spoken(stderr);
    if said(&[
        "couldn't find remote ref",
        "not our ref",
        "unadvertised object",
    ]) {
        GitError::RefAbsent { doing, words }
    } else if said(&["Host key verification failed"]) {
        GitError::UnknownHost { doing, words }
    } else if is_refused(stderr) {
        GitError::Unauthorized {
            doing,
            asker: asker.unwrap_or_else(|| NOBODY.to_owned()),
            words: refusal(stderr),
        }
    } else if is_absent(stderr) || said(&["does not appear to be a git repository"]) {
        GitError::Absent {
            doing,
            asker,
            words,
        }
    } else if said(&MOVED) {
        GitError::Command {
            doing,
            words:
                "the repository is at another address, where no token is sent: name it by that one"
                    .to_owned(),
        }
    } else {
        GitError::Command { doing, words }
    }
}

/// What was said, in one line, without progress and advice.
pub(super) fn spoken(stderr: &str) -> String {
    let words = join(lines(stderr).map(|(_, words)| words).collect());
    if words.is_empty() {
        "git gave no reason".to_owned()
    } else {
        words
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaker {
    Git,
    Server,
}

/// The lines that carry meaning, without git's prefixes and without control characters: a server's
/// words may reach a terminal.
fn lines(stderr: &str) -> impl Iterator<Item = (Speaker, String)> + '_ {
    stderr.split(['\n', '\r']).filter_map(|line| {
        let (speaker, line) = match line.strip_prefix("remote: ") {
            Some(line) => (Speaker::Server, line),
            None => (Speaker::Git, line),
        };
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        let mut words = line.trim();
        for prefix in ["fatal: ", "error: ", "warning: "] {
            words = words.strip_prefix(prefix).unwrap_or(words).trim();
        }
        (!is_noise(words)).then(|| (speaker, words.to_owned()))
    })
}

fn is_noise(line: &str) -> bool {
    const NOISE: [&str; 16] = [
        "Enumerating objects:",
        "Counting objects:",
        "Compressing objects:",
        "Writing objects:",
        "Receiving objects:",
        "Unpacking objects:",
        "Resolving deltas:",
        "Total ",
        "Delta compression using",
        "hint:",
        "To ",
        "From ",
        "! [",
        "remote:",
        "Please make sure you have the correct access rights",
        "and the repository exists.",
    ];
    line.is_empty() || NOISE.iter().any(|noise| line.starts_with(noise))
}

/// One line, no longer than a person reads.
fn join(words: Vec<String>) -> String {
    const LONGEST: usize = 600;
    let all = words.join("; ");
    let all = all.trim_end_matches(['.', ';', ' ']);
    match all.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &all[..end]),
        None => all.to_owned(),
    }
}

#[cfg(test)]
mod tests;
