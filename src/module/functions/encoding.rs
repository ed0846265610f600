//! Functions that encode, decode and digest.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256, Sha512};

use super::Context;
use crate::module::json;
use crate::module::value::Value;

/// Go's `StdEncoding`, which is lenient about the bits behind the last byte.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn base64decode(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let text = context.text(0)?.replace(['\r', '\n'], "");
    let bytes = BASE64
        .decode(text)
        .map_err(|_| "the text is not base64".to_owned())?;
    let decoded =
        String::from_utf8(bytes).map_err(|_| "the decoded text is not UTF-8".to_owned())?;
    Ok(decoded.into())
}

pub(super) fn base64encode(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(BASE64.encode(context.text(0)?.as_bytes()).into())
}

pub(super) fn sha256(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(hex(&Sha256::digest(context.text(0)?.as_bytes())).into())
}

pub(super) fn sha512(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(hex(&Sha512::digest(context.text(0)?.as_bytes())).into())
}

pub(super) fn base64sha256(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(BASE64
        .encode(Sha256::digest(context.text(0)?.as_bytes()))
        .into())
}

pub(super) fn base64sha512(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(BASE64
        .encode(Sha512::digest(context.text(0)?.as_bytes()))
        .into())
}

pub(super) fn jsonencode(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(json::encode(&context.arguments[0]).into())
}

pub(super) fn jsondecode(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    json::decode(&context.text(0)?)
}

pub(super) fn urlencode(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let mut encoded = String::new();
    for byte in context.text(0)?.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(encoded.into())
}
