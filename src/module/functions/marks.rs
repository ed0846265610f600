//! What functions do with sensitive values: `sensitive` and its like, and the rule for all others.

use super::{Context, Function};
use crate::module::value::Value;

/// Functions that hand parts of their arguments on with the marks that these have; what they make has
/// a mark of its own only where an argument as a whole has one. All others see no mark, and what they make
/// is sensitive if anything of an argument is. Terraform's own functions tell which are which.
const HANDING_ON: [&str; 17] = [
    "chunklist",
    "concat",
    "element",
    "ephemeralasnull",
    "flatten",
    "keys",
    "length",
    "lookup",
    "merge",
    "reverse",
    "setproduct",
    "slice",
    "tolist",
    "tomap",
    "toset",
    "values",
    "zipmap",
];

/// Calls the function by that name. What it says of an argument that is sensitive is told to nobody.
pub(in crate::module) fn call(
    name: &str,
    function: Function,
    context: &Context<'_>,
) -> Result<Value, String> {
    if matches!(name, "sensitive" | "nonsensitive" | "issensitive") {
        return function(context);
    }
    let hands_on = HANDING_ON.contains(&name);
    // A default that is not needed makes nothing sensitive.
    let is_default = |index: usize| name == "lookup" && index == 2;
    // Nor does a null that is merged.
    let is_nothing = |argument: &Value| name == "merge" && argument.is_null();
    let is_marked = |(index, argument): (usize, &Value)| match hands_on {
        true => argument.is_sensitive() && !is_default(index) && !is_nothing(argument),
        false => argument.holds_sensitive(),
    };
    let is_sensitive = context.arguments.iter().enumerate().any(is_marked);
    if !is_sensitive && !context.arguments.iter().any(is_nothing) {
        return function(context);
    }
    let open = |(index, argument): (usize, &Value)| match hands_on {
        true if is_default(index) => argument.clone(),
        true => argument.opened().0.clone(),
        false => argument.revealed(),
    };
    let arguments: Vec<Value> = context.arguments.iter().enumerate().map(open).collect();
    let made = function(&Context {
        arguments: &arguments,
        ..*context
    });
    let untold = |_| "an argument is sensitive, so what is wrong with it is not told".to_owned();
    match is_sensitive {
        true => made.map(Value::sensitive).map_err(untold),
        false => made,
    }
}

pub(super) fn pass(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(context.arguments[0].clone())
}

pub(super) fn sensitive(context: &Context<'_>) -> Result<Value, String> {
    pass(context).map(Value::sensitive)
}

pub(super) fn nonsensitive(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(context.arguments[0].opened().0.clone())
}

pub(super) fn issensitive(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(context.arguments[0].is_sensitive().into())
}
