//! An address with places for values: `artifact` of `service.hcl`.

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::template::Element;

use super::ConfigError;
use super::reader::Document;

/// An address of http or https whose host is written out; only behind it there may be `${…}`.
#[derive(Clone, Debug)]
pub struct AddressTemplate(Vec<AddressPart>);

/// A piece of an address.
#[derive(Clone, Debug)]
pub enum AddressPart {
    /// Letters of the address itself.
    Text(String),
    /// A place for a value, which is no more than a piece of text there.
    Value(Expression),
}

impl AddressTemplate {
    pub fn parts(&self) -> &[AddressPart] {
        &self.0
    }

    /// Reads the value of `name`.
    pub(super) fn read(
        document: &Document<'_>,
        name: &str,
        value: &Expression,
    ) -> Result<Self, ConfigError> {
        let fail = |message: &str| document.error(value.span(), format!("`{name}` {message}"));
        let parts = match value {
            Expression::String(text) => vec![AddressPart::Text(text.value().clone())],
            Expression::StringTemplate(template) => template
                .iter()
                .map(|element| match element {
                    Element::Literal(text) => Ok(AddressPart::Text(text.value().clone())),
                    Element::Interpolation(place) => Ok(AddressPart::Value(place.expr.clone())),
                    Element::Directive(_) => Err(fail("takes `${…}` only, no `%{…}`")),
                })
                .collect::<Result<_, _>>()?,
            _ => return Err(fail("must be an address in quotes")),
        };
        let Some(AddressPart::Text(begin)) = parts.first() else {
            return Err(fail("must begin with https:// and a host"));
        };
        let is_written_out = match begin.split_once("://") {
            Some(("http" | "https", rest)) => match rest.split_once('/') {
                Some((host, _)) => !host.is_empty() && !host.contains(['@', '?', '#', '\\']),
                None => false,
            },
            _ => false,
        };
        if !is_written_out {
            return Err(fail(
                "must begin with https:// and a host that is written out, without a user",
            ));
        }
        Ok(Self(parts))
    }
}
