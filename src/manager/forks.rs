//! Whether an environment is that of a fork's pull request, where a person's word does not say.

use super::services::Service;
use super::{ManagerError, Wish, Word};
use crate::environment::{EnvironmentFile, EnvironmentId};
use crate::event::PullRequest;

/// The pull request as the file is to be written for it: one whose word does not say whether it is
/// a fork's is what the file says.
pub(super) fn asked(
    service: &Service,
    wish: &Wish,
    pull_request: &PullRequest,
    file: &EnvironmentFile,
) -> Result<PullRequest, ManagerError> {
    let mut asked = pull_request.clone();
    let is_unsaid = matches!(
        wish.word,
        Word::Upsert {
            keeps_fork: true,
            ..
        }
    );
    let Some(source) = service
        .source(&pull_request.id.repository)
        .filter(|_| is_unsaid)
    else {
        return Ok(asked);
    };
    // The inputs that a fork's has, where those are others.
    let id = EnvironmentId::given(file.environment.clone().unwrap_or_default());
    let inputs = |asked: &PullRequest| service.inputs(source, asked, &id);
    asked.is_fork = false;
    let own = inputs(&asked)?;
    asked.is_fork = true;
    let of_fork = inputs(&asked)?;
    let mut telling = of_fork.into_iter().filter(|input| !own.contains(input));
    asked.is_fork = telling.any(|input| file.attributes.contains(&input));
    Ok(asked)
}
