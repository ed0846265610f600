//! Requests to a Git server over one connection that is kept.

use std::sync::LazyLock;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::super::process::{Call, SILENCE_LIMIT, is_told_how_to_connect};
use super::{Unserved, Wire};

/// Longer than any server needs to take a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// No answer to a writer is longer: a directory of a million names, say.
const LONGEST_ANSWER: u64 = 256 * 1024 * 1024;

static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier);
    Agent::config_builder()
        .tls_config(tls.build())
        .http_status_as_error(false)
        // A redirect is git's to follow, where nothing secret is sent along.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .no_delay(true)
        .user_agent(concat!("git/dayfly-", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_per_read(Some(SILENCE_LIMIT))
        .timeout_per_write(Some(SILENCE_LIMIT))
        .build()
        .new_agent()
});

/// Whether nobody has told git how servers are to be reached: no proxy, no certificate, no other
/// address in the place of one.
pub(super) fn is_plain(address: &str) -> bool {
    static HAS_NO_SETTINGS: LazyLock<bool> = LazyLock::new(|| {
        let settings = Call::new("read git's settings")
            .args(["config", "--includes", "--name-only", "--get-regexp"])
            .args(["^(http|url|protocol)\\.|^push\\.pushoption$"])
            .run();
        // It fails without a word where there is none.
        settings.is_ok_and(|answer| !answer.success && answer.stderr.is_empty())
    });
    !is_told_how_to_connect(address.to_ascii_lowercase().starts_with("https")) && *HAS_NO_SETTINGS
}

/// The half of the protocol that is asked.
#[derive(Clone, Copy)]
pub(super) enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}

/// Why there is no answer.
pub(super) enum Silence {
    /// The server turned the request away, or was not reached: nothing was done.
    Unserved(Unserved),
    /// The request was sent, and what became of it is not known.
    Unheard(String),
}

impl From<Silence> for Unserved {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Unserved(unserved) => unserved,
            Silence::Unheard(reason) => Self::because(reason),
        }
    }
}

impl Wire<'_> {
    /// What the server says of itself before anything is asked of it.
    pub(super) fn advertisement(&self, service: Service) -> Result<Vec<u8>, Unserved> {
        let name = service.name();
        let request = AGENT.get(format!("{}?service={name}", self.address("info/refs")));
        let answer = self.authorized(request).call();
        let expected = format!("application/x-{name}-advertisement");
        Ok(read(answer, &expected)?)
    }

    pub(super) fn ask(&self, service: Service, message: &[u8]) -> Result<Vec<u8>, Silence> {
        let name = service.name();
        let mut request = self
            .authorized(AGENT.post(self.address(name)))
            .header("Content-Type", format!("application/x-{name}-request"))
            .header("Accept", format!("application/x-{name}-result"));
        if let Service::UploadPack = service {
            request = request.header("Git-Protocol", "version=2");
        }
        read(
            request.send(message),
            &format!("application/x-{name}-result"),
        )
    }

    fn address(&self, below: &str) -> String {
        format!("{}/{below}", self.remote.address().trim_end_matches('/'))
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.authorization {
            Some(value) => request.header("Authorization", value),
            None => request,
        }
    }
}

fn read(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    expected: &str,
) -> Result<Vec<u8>, Silence> {
    let unserved = |reason: String| Silence::Unserved(Unserved::because(reason));
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) if is_before_sending(&error) => return Err(unserved(error.to_string())),
        Err(error) => return Err(Silence::Unheard(error.to_string())),
    };
    let status = answer.status();
    if status.is_server_error() {
        // A server behind this one may have done it.
        return Err(Silence::Unheard(format!("the server answers {status}")));
    }
    if status != 200 {
        return Err(unserved(format!("the server answers {status}")));
    }
    let kind = answer.headers().get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok()?.split(';').next());
    if kind != Some(expected) {
        return Err(Silence::Unheard("the answer is not Git's".to_owned()));
    }
    let body = answer.body_mut().with_config().limit(LONGEST_ANSWER);
    body.read_to_vec()
        .map_err(|error| Silence::Unheard(error.to_string()))
}

fn is_before_sending(error: &ureq::Error) -> bool {
    use ureq::Timeout::{Connect, Resolve};
    matches!(
        error,
        ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::BadUri(_)
            | ureq::Error::Http(_)
            | ureq::Error::Tls(_)
            | ureq::Error::Rustls(_)
            | ureq::Error::Timeout(Connect | Resolve)
    )
}
