//! Functions that read the repository. Paths are relative to the root module, as in Terraform,
//! and never lead outside.

use base64::Engine;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::encoding::{BASE64, hex};
use super::{Context, glob};
use crate::module::tree::Tree;
use crate::module::value::{Type, Value};

fn tree<'a>(context: &Context<'a>) -> Result<Tree<'a>, String> {
    let none = || context.refusal("files cannot be read here");
    context.tree.ok_or_else(none)
}

fn read(context: &Context<'_>) -> Result<(String, Vec<u8>), String> {
    let path = context.text(0)?;
    let tree = tree(context)?;
    // What cannot be read is not absent.
    let refused = |error: String| context.refusal(error);
    match tree.read(&path).map_err(refused)? {
        Some(bytes) => Ok((tree.locate(&path)?, bytes)),
        None => Err(format!("there is no file {path:?} in the repository")),
    }
}

pub(super) fn read_text(context: &Context<'_>) -> Result<(String, String), String> {
    let (path, bytes) = read(context)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("{path} is not UTF-8: use filebase64 to read it"))?;
    Ok((path, text))
}

pub(super) fn file(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(read_text(context)?.1.into())
}

pub(super) fn filebase64(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(BASE64.encode(read(context)?.1).into())
}

pub(super) fn filemd5(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(hex(&Md5::digest(read(context)?.1)).into())
}

pub(super) fn filesha1(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(hex(&Sha1::digest(read(context)?.1)).into())
}

pub(super) fn filesha256(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(hex(&Sha256::digest(read(context)?.1)).into())
}

pub(super) fn filesha512(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(hex(&Sha512::digest(read(context)?.1)).into())
}

pub(super) fn filebase64sha256(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(BASE64.encode(Sha256::digest(read(context)?.1)).into())
}

pub(super) fn filebase64sha512(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(BASE64.encode(Sha512::digest(read(context)?.1)).into())
}

pub(super) fn fileexists(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let file = tree(context)?.read(&context.text(0)?);
    let file = file.map_err(|error| context.refusal(error))?;
    Ok(file.is_some().into())
}

pub(super) fn fileset(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let pattern = glob::parse(&context.text(1)?)?;
    let paths = tree(context)?.walk(&context.text(0)?);
    let paths = paths.map_err(|error| context.refusal(error))?;
    let matching = paths.iter().filter(|path| pattern.matches(path));
    Ok(Value::set(Type::String, matching.map(Value::string)))
}

pub(super) fn basename(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let path = context.text(0)?;
    let trimmed = path.trim_end_matches('/');
    Ok(match (
        path.is_empty(),
        trimmed.rsplit('/').next().unwrap_or_default(),
    ) {
        (true, _) => ".",
        (false, "") => "/",
        (false, name) => name,
    }
    .into())
}

pub(super) fn dirname(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let path = context.text(0)?;
    Ok(clean(path.rfind('/').map_or("", |at| &path[..=at])).into())
}

/// The shortest path that means the same, as Go's `filepath.Clean`.
fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match (name, names.last()) {
            ("" | ".", _) => {}
            ("..", Some(last)) if *last != ".." => {
                names.pop();
            }
            ("..", _) if absolute => {}
            (name, _) => names.push(name),
        }
    }
    let joined = names.join("/");
    match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}
