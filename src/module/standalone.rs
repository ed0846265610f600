//! Expressions outside of modules: those of `service.hcl`, over the variables they are given.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::Decorated;
use hcl_edit::expr::{Expression, TraversalOperator};

use super::expression::{Evaluated, Frame, Names, Stop, evaluate};
use super::source::{Source, parse_expression, settle_expression};
use super::tree::Tree;
use super::value::Value;
use crate::error::{Diagnose, Kind};
use crate::problem::Problem;

/// Why an expression has no value, and where in its text.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct ExpressionError(pub Problem);

impl Diagnose for ExpressionError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hint(&self) -> Option<String> {
        self.0.hint.clone()
    }
}

struct Variables<'a>(&'a BTreeMap<String, Value>);

impl Names for Variables<'_> {
    fn resolve(
        &self,
        name: &str,
        _steps: &[Decorated<TraversalOperator>],
        frame: &Frame<'_>,
        offset: Option<usize>,
    ) -> Evaluated<(Value, usize)> {
        if let Some(value) = self.0.get(name) {
            return Ok((value.clone(), 0));
        }
        let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
        let hint = (!known.is_empty()).then(|| format!("known here: {}", known.join(", ")));
        Err(frame.mistake_with_hint(format!("there is no {name} here"), offset, hint))
    }

    fn tree(&self) -> Option<Tree<'_>> {
        None
    }
}

/// The value of an expression that was parsed from `text`, a file of which `path` is the name.
/// Names stand for the variables; files cannot be read.
pub fn evaluate_expression(
    expression: &Expression,
    path: &str,
    text: &str,
    variables: &BTreeMap<String, Value>,
) -> Result<Value, ExpressionError> {
    let source = Source {
        path: path.to_owned(),
        text: text.to_owned(),
        written: None,
    };
    let expression = settle_expression(&source, expression.clone()).map_err(ExpressionError)?;
    value(&Arc::new(source), &expression, variables)
}

/// The value of an expression that is the whole of `text`.
pub fn evaluate_text(
    text: &str,
    path: &str,
    variables: &BTreeMap<String, Value>,
) -> Result<Value, ExpressionError> {
    let (source, expression) = parse_expression(path, text).map_err(ExpressionError)?;
    value(&source, &expression, variables)
}

fn value(
    source: &Arc<Source>,
    expression: &Expression,
    variables: &BTreeMap<String, Value>,
) -> Result<Value, ExpressionError> {
    let names = Variables(variables);
    let frame = Frame {
        source,
        names: &names,
        bindings: None,
        depth: 0,
    };
    evaluate(expression, &frame).map_err(|stop| match stop {
        Stop::Mistake(mistake) => {
            let mut problem = mistake.source.problem(mistake.message, mistake.offset);
            problem.hint = mistake.hint;
            ExpressionError(problem)
        }
        Stop::Reported => {
            ExpressionError(source.problem("the expression cannot be evaluated", None))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Value, evaluate_expression, evaluate_text};
    use std::collections::BTreeMap;

    fn variables() -> BTreeMap<String, Value> {
        let json = serde_json::json!({"head_sha": "68a0", "number": 10});
        let environment = serde_json::json!({"id": "5d41c2f0"});
        BTreeMap::from([
            ("pull_request".to_owned(), Value::from_json(&json)),
            ("environment".to_owned(), Value::from_json(&environment)),
        ])
    }

    #[test]
    fn expressions_of_service_settings() {
        let value = |text| {
            evaluate_text(text, "service.hcl", &variables())
                .unwrap()
                .to_json()
        };
        assert_eq!(value("pull_request.head_sha"), "68a0");
        assert_eq!(
            value(r#""https://${environment.id}.x""#),
            "https://5d41c2f0.x"
        );
        let error = evaluate_text("pull.head", "service.hcl", &variables()).unwrap_err();
        assert_eq!(error.to_string(), "there is no pull here");
        assert_eq!(error.0.line, Some(1));
        assert!(evaluate_text("file(\"x\")", "service.hcl", &variables()).is_err());
    }

    #[test]
    fn an_expression_of_a_body_keeps_its_place() {
        let text = "a = 1\nb = \"x${~ pull_request.number}\"\n";
        let body = hcl_edit::parser::parse_body(text).unwrap();
        let value = &body.get_attribute("b").unwrap().value;
        let result = evaluate_expression(value, "service.hcl", text, &variables()).unwrap();
        assert_eq!(result, Value::from("x10"));
    }
}
