//! Kinds of failure, and what a person can do about one.
//!
//! Every room has its own error enum, which says what it was doing and to what. Each implements
//! [`Diagnose`], so that the edge (`cli/`) turns any of them into one printed error and one exit
//! code without knowing the rooms.

use std::fmt;

/// What kind of failure it was. The numbers are the exit codes of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The work was done and failed: a run, a check.
    Failed = 1,
    /// The call, the configuration or a file of the user's is wrong.
    Usage = 2,
    /// A policy or a guard said no.
    Denied = 3,
    /// Other writers kept winning the race for the branch.
    LostRace = 4,
    /// Something outside failed: a server, a tool, the disk.
    Outside = 5,
}

/// How an error of a room explains itself to a person and to a script.
pub trait Diagnose: std::error::Error + Send + Sync + 'static {
    fn kind(&self) -> Kind;

    /// One line that says what to do; a command in it can be pasted.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Any room's error on its way to the user.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    pub hint: Option<String>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl<E: Diagnose> From<E> for Error {
    fn from(error: E) -> Self {
        Self {
            kind: error.kind(),
            hint: error.hint(),
            source: Box::new(error),
        }
    }
}

impl Error {
    /// What went wrong: the error's own message.
    pub fn message(&self) -> String {
        self.source.to_string()
    }

    /// The error as its room has it, if it is of this type.
    pub fn of<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.source.downcast_ref()
    }

    /// What caused it, outermost first.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.source)
    }
}
