//! Templates: literals, interpolations and directives joined to a string.

use hcl_edit::expr::Expression;
use hcl_edit::template::{Directive, Element, ForDirective, IfDirective, Template};

use super::convert::convert;
use super::expression::{Binding, Evaluated, Frame, Stop, evaluate, start};
use super::loops::pairs;
use super::value::{Type, Value};

/// The value of a quoted template: a lone interpolation keeps the type of its value.
pub(super) fn wrapped_value(template: &Template, frame: &Frame<'_>) -> Evaluated {
    match template.as_single_element() {
        Some(Element::Interpolation(interpolation)) => evaluate(&interpolation.expr, frame),
        _ => template_value(template, frame),
    }
}

/// The string that a template makes: sensitive if a part of it is.
pub(super) fn template_value(template: &Template, frame: &Frame<'_>) -> Evaluated {
    let mut made = Made::default();
    append(template, frame, &mut made)?;
    Ok(Value::string(made.text).marked(made.is_sensitive))
}

#[derive(Default)]
struct Made {
    text: String,
    is_sensitive: bool,
}

fn append(template: &Template, frame: &Frame<'_>, made: &mut Made) -> Evaluated<()> {
    let frame = &frame.deeper(None)?;
    for element in template.iter() {
        match element {
            Element::Literal(literal) => made.text.push_str(literal.as_str()),
            Element::Interpolation(interpolation) => {
                append_part(&interpolation.expr, frame, made)?;
            }
            Element::Directive(directive) => match directive.as_ref() {
                Directive::If(directive) => append_chosen(directive, frame, made)?,
                Directive::For(directive) => append_each(directive, frame, made)?,
            },
        }
    }
    Ok(())
}

fn append_part(expression: &Expression, frame: &Frame<'_>, made: &mut Made) -> Evaluated<()> {
    let value = evaluate(expression, frame)?;
    let (value, is_sensitive) = value.opened();
    let offset = start(expression);
    if value.is_null() {
        return Err(frame.mistake("a null value cannot be included in a string", offset));
    }
    match convert(value, &Type::String) {
        Ok(Value::String(text)) => {
            made.text.push_str(&text);
            made.is_sensitive |= is_sensitive;
            Ok(())
        }
        _ => {
            let message = format!("a {} cannot be included in a string", value.kind().name());
            Err(frame.mistake(message, offset))
        }
    }
}

fn append_chosen(directive: &IfDirective, frame: &Frame<'_>, made: &mut Made) -> Evaluated<()> {
    let condition = evaluate(&directive.if_expr.cond_expr, frame)?;
    let (condition, is_sensitive) = condition.opened();
    let offset = start(&directive.if_expr.cond_expr);
    let chosen = match convert(condition, &Type::Bool) {
        Ok(Value::Bool(value)) => value,
        Ok(_) => return Err(frame.mistake("the condition of the directive is null", offset)),
        Err(error) => {
            return Err(frame.mistake(
                format!("unsuitable condition of the directive: {error}"),
                offset,
            ));
        }
    };
    let mut yes = Made::default();
    let mut no = Made::default();
    let done = append(&directive.if_expr.template, frame, &mut yes);
    let other_done = match &directive.else_expr {
        Some(otherwise) => append(&otherwise.template, frame, &mut no),
        None => Ok(()),
    };
    let (done, other_done, result, other) = if chosen {
        (done, other_done, yes, no)
    } else {
        (other_done, done, no, yes)
    };
    done?;
    made.is_sensitive |= is_sensitive || result.is_sensitive;
    match other_done {
        Err(Stop::Reported) => return Err(Stop::Reported),
        Err(Stop::Mistake(_)) => {}
        // As of a condition: the mark does not tell which one was chosen.
        Ok(()) => made.is_sensitive |= other.is_sensitive,
    }
    made.text.push_str(&result.text);
    Ok(())
}

fn append_each(directive: &ForDirective, frame: &Frame<'_>, made: &mut Made) -> Evaluated<()> {
    let intro = &directive.for_expr;
    let collection = evaluate(&intro.collection_expr, frame)?;
    let (collection, is_sensitive) = collection.opened();
    made.is_sensitive |= is_sensitive;
    let Some(pairs) = pairs(collection) else {
        let kind = if collection.is_null() {
            "null"
        } else {
            collection.kind().name()
        };
        let message = format!("a for directive cannot go over {kind}");
        return Err(frame.mistake(message, start(&intro.collection_expr)));
    };
    for (key, value) in pairs {
        let outer = intro.key_var.as_ref().map(|name| Binding {
            name: name.as_str(),
            value: key,
            outer: frame.bindings,
        });
        let name = intro.value_var.as_str();
        let binding = Binding {
            name,
            value,
            outer: outer.as_ref().or(frame.bindings),
        };
        append(
            &intro.template,
            &Frame {
                bindings: Some(&binding),
                ..*frame
            },
            made,
        )?;
    }
    Ok(())
}
