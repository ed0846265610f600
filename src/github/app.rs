//! A GitHub App: its word of who it is, and the token of an installation that GitHub gives for it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Call, Github};
use super::{GithubError, Repository};
use crate::clock::{self, Time};
use crate::config::{ApiAddress, GithubApp};
use crate::git::Token;

/// What a token is to be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    /// Writing, and opening pull requests.
    Propose,
}

impl Access {
    fn permissions(self) -> Value {
        match self {
            Self::Read => json!({ "contents": "read" }),
            Self::Write => json!({ "contents": "write" }),
            Self::Propose => json!({ "contents": "write", "pull_requests": "write" }),
        }
    }
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

/// A token for `repository` alone, with no more than `access` needs. It is good for an hour.
pub fn installation_token(
    api: &ApiAddress,
    app: &GithubApp,
    repository: &Repository,
    access: Access,
) -> Result<Token, GithubError> {
    let body = json!({ "repositories": [repository.name()], "permissions": access.permissions() });
    token(api, app, repository, &body)
}

/// A token that reads pull requests, of every repository that the installation on `repository` has,
/// and nothing else.
pub fn reading_token(
    api: &ApiAddress,
    app: &GithubApp,
    repository: &Repository,
) -> Result<Token, GithubError> {
    let body = json!({ "permissions": { "pull_requests": "read" } });
    token(api, app, repository, &body)
}

fn token(
    api: &ApiAddress,
    app: &GithubApp,
    repository: &Repository,
    body: &Value,
) -> Result<Token, GithubError> {
    let word = Token::new(word(app, clock::now())?);
    let word = word.called("the GitHub App of DAYFLY_APP_ID and DAYFLY_APP_KEY");
    let github = Github::new(api, word)?;
    let installation = match app.installation {
        Some(number) => number,
        None => {
            let doing = format!("find the installation of the GitHub App on {repository}");
            let path = format!("/repos/{repository}/installation");
            let found: Installation = github.call(&doing, &path, Call::Get)?;
            found.id
        }
    };
    let doing = format!("get a token of the GitHub App for {repository}");
    let path = format!("/app/installations/{installation}/access_tokens");
    let answer: Answer = github.call(&doing, &path, Call::Post(body))?;
    Ok(Token::new(answer.token).called("the token of the GitHub App"))
}

/// The App's word of who it is (a JSON Web Token, RS256), good for some minutes.
fn word(app: &GithubApp, now: Time) -> Result<String, GithubError> {
    let key = read_key(&app.key)?;
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let now = now.as_second();
    // From a minute ago, as GitHub advises: clocks differ.
    let claims = json!({ "iat": now - 60, "exp": now + 300, "iss": app.id });
    let text = format!(
        "{}.{}",
        part(json!({ "alg": "RS256", "typ": "JWT" })),
        part(claims)
    );
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .map_err(|_| GithubError::Key)?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Both forms of RSA keys in PEM: GitHub makes the older one.
fn read_key(pem: &str) -> Result<RsaKeyPair, GithubError> {
    let body = |label: &str| {
        let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
        let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
        let letters: String = body.split_whitespace().collect();
        STANDARD.decode(letters).ok()
    };
    let key = match (body("RSA PRIVATE KEY"), body("PRIVATE KEY")) {
        (Some(der), _) => RsaKeyPair::from_der(&der),
        (None, Some(der)) => RsaKeyPair::from_pkcs8(&der),
        (None, None) => return Err(GithubError::Key),
    };
    key.map_err(|_| GithubError::Key)
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    const KEY: &str = include_str!("../../tests/fixtures/github-app.pem");

    #[test]
    fn the_word_is_signed_and_short_lived() {
        let app = GithubApp {
            id: "Iv1.5".to_owned(),
            key: KEY.to_owned(),
            installation: None,
        };
        let now = "2026-11-21T09:00:00Z".parse().unwrap();
        let word = word(&app, now).unwrap();
        let (text, signature) = word.rsplit_once('.').unwrap();
        let key = read_key(KEY).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref())
            .verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        let (_, claims) = text.split_once('.').unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let expected = json!({ "iat": 1795251540, "exp": 1795251900, "iss": "Iv1.5" });
        assert_eq!(claims, expected);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
        ] {
            assert!(matches!(read_key(text), Err(GithubError::Key)));
        }
    }
}
