//! Git's smart HTTP spoken in process, for the few small requests of a writer.
//!
//! A `git` command starts several processes and connections for each listing, fetch and push; here
//! all go over one connection, and nothing is asked that a writer does not need. What is not plain
//! is left to the command, which knows proxies, credential helpers, redirects and servers of every
//! age: [`Unserved`] is never an error, and nothing has been changed by then.

mod fetch;
mod http;
mod objects;
mod pack;
mod packet;
mod push;
mod tips;

use super::remote::Remote;

pub(super) use push::Pushed;

/// A server that is reached by nothing but its address and, at most, a token.
pub(super) struct Wire<'a> {
    remote: &'a Remote,
    authorization: Option<String>,
}

/// Why something is left to the `git` command.
#[derive(Debug)]
pub(super) struct Unserved(String);

impl Unserved {
    fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Whether `remote` is asked in process, as far as it is served so.
pub fn is_on_wire(remote: &Remote) -> bool {
    Wire::to(remote).is_some()
}

impl<'a> Wire<'a> {
    /// The wire to `remote`; `None` where more than that decides how it is reached.
    pub(super) fn to(remote: &'a Remote) -> Option<Self> {
        let authorization = remote.plain_http()?;
        http::is_plain(remote.address()).then_some(Self {
            remote,
            authorization,
        })
    }

    /// Notes why the `git` command is asked instead.
    pub(super) fn left<T>(&self, served: Result<T, Unserved>) -> Option<T> {
        match served {
            Ok(answer) => Some(answer),
            Err(Unserved(reason)) => {
                let reason = self.remote.redact(&reason);
                tracing::debug!(remote = %self.remote, reason, "left to the git command");
                None
            }
        }
    }
}
