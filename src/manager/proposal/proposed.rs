//! What is told of a proposal from outside.

/// What GitHub says of a branch's pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    pub number: u64,
    pub url: String,
    pub state: ProposalState,
    /// The last commit of the branch that the pull request has seen.
    pub head: String,
    pub body: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProposalState {
    Open,
    Merged,
    /// Closed by dayfly, which had nothing to propose any more.
    Withdrawn,
    /// Closed by a person.
    TurnedDown,
}
