//! Functions that encode, decode and digest.

use std::iter;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::Md5;
use sha1::Sha1;
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

pub(super) fn md5(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(hex(&Md5::digest(context.text(0)?.as_bytes())).into())
}

pub(super) fn sha1(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(hex(&Sha1::digest(context.text(0)?.as_bytes())).into())
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
    let text = context.text(0)?;
    json::decode(&text).map_err(|error| match escapes_surrogate(&text) {
        true => context.refusal(error),
        false => error,
    })
}

/// Whether JSON escapes half of a character: alone, Terraform has the replacement character for it.
fn escapes_surrogate(text: &str) -> bool {
    let halves = text.split("\\u").skip(1);
    halves
        .filter_map(|half| half.get(..2))
        .any(|half| ("d8"..="df").contains(&&*half.to_ascii_lowercase()))
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

/// The version of UUIDs that is made of a namespace and a name (RFC 9562, 5.5).
pub(super) fn uuidv5(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let namespace = match &*context.text(0)? {
        "dns" => 0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8,
        "url" => 0x6ba7_b811_9dad_11d1_80b4_00c0_4fd4_30c8,
        "oid" => 0x6ba7_b812_9dad_11d1_80b4_00c0_4fd4_30c8,
        "x500" => 0x6ba7_b814_9dad_11d1_80b4_00c0_4fd4_30c8,
        text => uuid(text)
            .ok_or_else(|| format!("{text:?} is neither dns, url, oid, x500 nor a UUID"))
            .map_err(|error| context.refusal(error))?,
    };
    let mut digest = Sha1::new_with_prefix(namespace.to_be_bytes());
    digest.update(context.text(1)?.as_bytes());
    let mut bytes = digest.finalize();
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes[..16]);
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| &text[group]);
    Ok(groups.join("-").into())
}

fn uuid(text: &str) -> Option<u128> {
    let groups: Vec<&str> = text.split('-').collect();
    let is_hex = text
        .bytes()
        .all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    (is_hex && lengths == [8, 4, 4, 4, 12])
        .then(|| u128::from_str_radix(&groups.concat(), 16).ok())
        .flatten()
}

const UNKNOWN_ENCODING: &str = "knows UTF-8, UTF-16, UTF-16BE and UTF-16LE only";

pub(super) fn textencodebase64(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let text = context.text(0)?;
    let units = || text.encode_utf16();
    let bytes: Vec<u8> = match &*context.text(1)?.to_ascii_uppercase() {
        "UTF-8" => text.as_bytes().to_vec(),
        "UTF-16" => iter::once(BYTE_ORDER_MARK)
            .chain(units())
            .flat_map(u16::to_be_bytes)
            .collect(),
        "UTF-16BE" => units().flat_map(u16::to_be_bytes).collect(),
        "UTF-16LE" => units().flat_map(u16::to_le_bytes).collect(),
        _ => return Err(context.refusal(UNKNOWN_ENCODING)),
    };
    Ok(BASE64.encode(bytes).into())
}

const BYTE_ORDER_MARK: u16 = 0xfeff;

pub(super) fn textdecodebase64(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let text = context.text(0)?.replace(['\r', '\n'], "");
    let bytes = BASE64
        .decode(text)
        .map_err(|_| "the text is not base64".to_owned())?;
    let encoding = context.text(1)?.to_ascii_uppercase();
    let wrong = || format!("the decoded text is not {encoding}");
    let (units, is_little_endian) = match (&*encoding, &*bytes) {
        ("UTF-8", _) => {
            let decoded = String::from_utf8(bytes).map_err(|_| wrong())?;
            return Ok(decoded.into());
        }
        ("UTF-16", [0xff, 0xfe, rest @ ..]) => (rest, true),
        ("UTF-16", [0xfe, 0xff, rest @ ..]) => (rest, false),
        ("UTF-16" | "UTF-16BE", all) => (all, false),
        ("UTF-16LE", all) => (all, true),
        _ => return Err(context.refusal(UNKNOWN_ENCODING)),
    };
    let pairs = units.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(wrong());
    }
    let read = if is_little_endian {
        u16::from_le_bytes
    } else {
        u16::from_be_bytes
    };
    let units: Vec<u16> = pairs.map(|pair| read([pair[0], pair[1]])).collect();
    let decoded = String::from_utf16(&units).map_err(|_| wrong())?;
    Ok(decoded.into())
}
