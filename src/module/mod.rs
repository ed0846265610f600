//! Terraform modules, evaluated in process.
//!
//! ```text
//! files ─▶ source (parsed) ─▶ definitions of a directory ─▶ instances of modules, on demand
//!                                                             │
//!          expression, template, functions, convert ◀─────────┤
//!                                                             ▼
//!                 resources in order, outputs, problems, presence of what is recorded
//! ```
//!
//! Invariant: a value is Terraform's or there is none. What cannot be evaluated is a problem with
//! file and line, blocks as little as possible, and never makes anything recorded look absent.

mod apart;
mod attributes;
mod blocking;
mod common;
mod conditional;
mod constraint;
mod convert;
mod decimal;
mod definitions;
mod evaluation;
mod evaluator;
mod expansion;
mod expression;
mod few;
mod findings;
mod force;
mod functions;
mod identity;
mod instance;
mod json;
mod json_syntax;
mod lifecycle;
mod loops;
mod names;
mod nearest;
mod number;
mod numbered;
mod object;
mod order;
mod origin;
mod part;
mod presence;
mod resource;
mod root_values;
pub mod schema;
mod sensitive;
mod source;
mod standalone;
mod steps;
mod template;
mod tree;
mod value;
mod values;

pub use apart::Environments;
pub use evaluation::{Evaluation, evaluate};
pub use identity::slug;
pub use lifecycle::{Ignored, Lifecycle};
pub use number::Number;
pub(crate) use order::order;
pub use origin::{Call, Origin, environment, is_environments, read_calls, write_calls};
pub use presence::Presence;
pub use resource::{Attributes, Resource};
pub use root_values::{Given, OF_COMMIT};
pub use standalone::{ExpressionError, evaluate_expression, evaluate_text};
pub use value::{Field, Type, Value};

#[cfg(test)]
mod tests;
