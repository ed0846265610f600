//! GitHub Apps: their word is verified, and tokens of installations are given for it.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use super::answer::{Answer, Answered, Caller, ok, refuse};
use super::state::{Grant, World, real_now};

pub(super) struct App {
    id: String,
    public_key: Vec<u8>,
    installation: u64,
    grant: Grant,
}

impl App {
    pub(super) fn new(id: &str, key: &str, installation: u64, grant: Grant) -> Self {
        let letters: String = key.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = RsaKeyPair::from_der(&STANDARD.decode(letters).unwrap()).unwrap();
        Self {
            id: id.to_owned(),
            public_key: pair.public().as_ref().to_owned(),
            installation,
            grant,
        }
    }

    fn verify(&self, word: &str) -> Result<(), &'static str> {
        let (text, signature) = word.rsplit_once('.').ok_or("no signature")?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "no base64");
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key)
            .verify(text.as_bytes(), &decode(signature)?)
            .map_err(|_| "A JSON web token could not be decoded")?;
        let (header, claims) = text.split_once('.').ok_or("no claims")?;
        let parse = |part: &str| -> Result<Value, &'static str> {
            serde_json::from_slice(&decode(part)?).map_err(|_| "no JSON")
        };
        let (header, claims) = (parse(header)?, parse(claims)?);
        let (iat, exp) = (claims["iat"].as_i64(), claims["exp"].as_i64());
        let now = real_now();
        match (iat, exp) {
            _ if header["alg"] != "RS256" => Err("'alg' is not RS256"),
            _ if claims["iss"].as_str() != Some(&self.id) => Err("'Issuer' claim ('iss') is wrong"),
            (Some(iat), _) if iat > now => Err(
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            ),
            (_, Some(exp)) if exp <= now => Err("'Expiration time' claim ('exp') is in the past"),
            (_, Some(exp)) if exp > now + 600 => {
                Err("'Expiration time' claim ('exp') is too far in the future")
            }
            (Some(_), Some(_)) => Ok(()),
            _ => Err("a claim is missing"),
        }
    }
}

impl World {
    /// The App that speaks, by its place.
    pub(super) fn app_of(&self, word: &str) -> Result<usize, Answer> {
        let mut why = "Integration not found";
        for (place, app) in self.apps.iter().enumerate() {
            match app.verify(word) {
                Ok(()) => return Ok(place),
                Err(reason) => why = reason,
            }
        }
        Err(refuse(401, why))
    }

    fn app(&self, caller: &Caller) -> Result<&App, Answer> {
        match caller {
            Caller::App(place) => Ok(&self.apps[*place]),
            _ => Err(refuse(401, "A JSON web token could not be decoded")),
        }
    }

    pub(super) fn find_installation(&self, caller: &Caller, repository: &str) -> Answered {
        let app = self.app(caller)?;
        if !app.grant.sees(repository) {
            return Err(refuse(404, "Not Found"));
        }
        Ok(ok(
            200,
            json!({ "id": app.installation, "app_slug": "dayfly" }),
        ))
    }

    pub(super) fn give_token(&mut self, caller: &Caller, number: &str, body: &Value) -> Answered {
        let app = self.app(caller)?;
        if number != app.installation.to_string() {
            return Err(refuse(404, "Not Found"));
        }
        let mut grant = app.grant.clone().of("dayfly[bot]");
        if let Some(names) = body["repositories"].as_array() {
            // The names are without their owner.
            let is_asked = |own: &String| {
                names
                    .iter()
                    .any(|name| own.rsplit('/').next() == name.as_str())
            };
            grant.repositories.retain(is_asked);
            if grant.repositories.len() < names.len() {
                return Err(refuse(
                    422,
                    "There is at least one repository that does not exist or is not accessible to the parent installation.",
                ));
            }
        }
        if let Some(asked) = body["permissions"].as_object() {
            let level = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            if !asked
                .iter()
                .all(|(name, value)| app.grant.allows(name, &level(value)))
            {
                return Err(refuse(
                    422,
                    "The permissions requested are not granted to this installation.",
                ));
            }
            grant.permissions = asked
                .iter()
                .map(|(name, value)| (name.clone(), level(value)))
                .collect();
        }
        let expires = real_now() + 3_600;
        grant.expires = Some(expires);
        let token = format!("ghs_{:036}", self.tokens.len() + 1);
        let answer = json!({
            "token": token,
            "expires_at": jiff::Timestamp::from_second(expires).unwrap().to_string(),
            "permissions": grant.permissions,
        });
        self.tokens.insert(token, grant);
        Ok(Answer {
            status: StatusCode::CREATED,
            body: answer,
            link: None,
            location: None,
            headers: Vec::new(),
        })
    }
}
