//! Digests.

use std::fmt::Write;

use md5::Md5;
use regorus::Value;
use sha1::Sha1;
use sha2::digest::{Digest, OutputSizeUser};
use sha2::{Sha256, Sha512};

use super::super::sanitize::sanitize;
use super::{Answer, string};

pub(super) fn sanitized(arguments: &[Value]) -> Answer {
    Ok(string(arguments.first()).map(|text| sanitize(text).into()))
}

pub(super) fn md5(arguments: &[Value]) -> Answer {
    Ok(digest::<Md5>(arguments))
}

pub(super) fn sha1(arguments: &[Value]) -> Answer {
    Ok(digest::<Sha1>(arguments))
}

pub(super) fn sha256(arguments: &[Value]) -> Answer {
    Ok(digest::<Sha256>(arguments))
}

fn digest<D: Digest>(arguments: &[Value]) -> Option<Value> {
    let text = string(arguments.first())?;
    Some(hex(&D::digest(text.as_bytes())).into())
}

pub(super) fn hmac_md5(arguments: &[Value]) -> Answer {
    Ok(hmac::<Md5>(arguments, 64))
}

pub(super) fn hmac_sha1(arguments: &[Value]) -> Answer {
    Ok(hmac::<Sha1>(arguments, 64))
}

pub(super) fn hmac_sha256(arguments: &[Value]) -> Answer {
    Ok(hmac::<Sha256>(arguments, 64))
}

pub(super) fn hmac_sha512(arguments: &[Value]) -> Answer {
    Ok(hmac::<Sha512>(arguments, 128))
}

pub(super) fn equal(arguments: &[Value]) -> Answer {
    let pair = string(arguments.first()).zip(string(arguments.get(1)));
    Ok(pair.map(|(left, right)| (left == right).into()))
}

/// RFC 2104, of a message and a key.
fn hmac<D: Digest + OutputSizeUser>(arguments: &[Value], block: usize) -> Option<Value> {
    let message = string(arguments.first())?;
    let key = string(arguments.get(1))?.as_bytes();
    let mut padded = if key.len() > block {
        D::digest(key).to_vec()
    } else {
        key.to_vec()
    };
    padded.resize(block, 0);
    let with = |pad: u8, text: &[u8]| {
        let mut bytes: Vec<u8> = padded.iter().map(|byte| byte ^ pad).collect();
        bytes.extend_from_slice(text);
        D::digest(&bytes).to_vec()
    };
    Some(hex(&with(0x5c, &with(0x36, message.as_bytes()))).into())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
