//! A policy's text read into a syntax tree, and everything that is wrong in it found.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead, Span};

use super::builtins;
use super::calls::{Call, Named, Walk, base_of, head_keys, path, rule_path};
use super::conflicts;
use super::differences;
use super::extent::is_plain;
use super::kind::{Engine, PolicyType};
use super::nesting;
use super::prelude;
use super::rewrite::rewritten;
use super::safety;
use super::shadows;
use super::shapes;
use crate::problem::Problem;

/// The package every policy is in.
pub(super) const PACKAGE: &str = "spacelift";

/// The module, parsed. The problem is the first that the parser met.
pub(super) fn parse(file: &str, engine: Engine, text: &str) -> Result<Ref<Module>, Problem> {
    // The parser takes a null character for a blank; OPA refuses it.
    if let Some(offset) = text.find('\0') {
        return Err(Problem::error("there is a null character")
            .in_file(file)
            .at(text, offset));
    }
    if let Some((span, message)) = nesting::too_deep(file, text) {
        return Err(problem_at(&span, message));
    }
    let mut parser = regorus::Engine::new();
    parser.set_rego_v0(engine == Engine::RegoV0);
    parser
        .add_policy(file.to_owned(), text.to_owned())
        .map_err(|error| {
            let mut problem = problem_of(file, &error.to_string());
            if problem.message == "else cannot be used with set rules" {
                problem.hint = Some("write each body as a rule of its own".to_owned());
            }
            problem.column = letter_at(text, &problem);
            problem.quoting(text)
        })?;
    parser
        .get_modules()
        .first()
        .cloned()
        .ok_or_else(|| Problem::error("there is no module"))
}

/// The module's text as the engine gets it. `rules` are those of its package, whichever
/// module defines them.
pub(super) fn for_engine(
    file: &str,
    text: &str,
    module: &Module,
    rules: &BTreeSet<String>,
) -> Result<String, Problem> {
    let Some(renamed) = shadows::renamed(text, module, rules) else {
        return Ok(rewritten(text, module, rules));
    };
    let module = parse(file, engine_of(module), &renamed)?;
    Ok(rewritten(&renamed, &module, rules))
}

/// The first names of the rules that are no functions.
pub(super) fn valued_rules(module: &Module) -> BTreeSet<String> {
    let functions = own_functions(module);
    let mut names = rule_names(module);
    names.retain(|name| !functions.contains(name));
    names
}

/// The problem's column in letters: the engine counts bytes, and a tab as four.
fn letter_at(text: &str, problem: &Problem) -> Option<usize> {
    let line = text.lines().nth(problem.line?.checked_sub(1)?)?;
    let wanted = problem.column?;
    let mut column = 1;
    for (index, letter) in line.chars().enumerate() {
        if column >= wanted {
            return Some(index + 1);
        }
        column += if letter == '\t' { 4 } else { letter.len_utf8() };
    }
    Some(line.chars().count() + 1)
}

/// The version of Rego that the module is really in: the parser honours `import rego.v1`.
pub(super) fn engine_of(module: &Module) -> Engine {
    if module.rego_v1 {
        Engine::RegoV1
    } else {
        Engine::RegoV0
    }
}

/// What keeps the module from being a policy of this type, in the order of the lines.
pub(super) fn problems(kind: PolicyType, module: &Module) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_package(module, &mut problems);
    for import in &module.imports {
        if path(&import.refr).as_deref() == Some("data.spacelift") {
            problems.push(
                problem_at(&import.span, "a policy cannot import its own package")
                    .with_hint("leave the import out: its rules are known by their names"),
            );
        }
    }
    let walk = Walk::over(module);
    check_functions(module, &walk.calls, &mut problems);
    check_recursion(module, &walk.calls, &mut problems);
    check_circles(module, &walk.named, &mut problems);
    let own = own_functions(module);
    for target in &walk.with_targets {
        if path(target).is_some_and(|target| own.contains(own_name(&target))) {
            problems.push(problem_at(
                target.span(),
                "the engine cannot put another function in the place of a policy's own",
            ));
        }
    }
    let rules = rule_names(module);
    for (span, name) in &walk.shadowed {
        if rules.contains(*name) {
            problems.push(
                problem_at(
                    span,
                    format!("behind with, {name} could be the rule or the variable"),
                )
                .with_hint("give the variable another name"),
            );
        }
    }
    differences::check(&walk, &mut problems);
    conflicts::check(module, &mut problems);
    let mut names: BTreeSet<&str> = rules.iter().map(String::as_str).collect();
    for name in prelude::names(kind) {
        names.insert(name);
    }
    safety::check(module, names, &mut problems);
    for rule in &module.policy {
        check_head(rule, &mut problems);
        check_keys(rule, &mut problems);
        shapes::check(kind, rule, &mut problems);
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems
}

/// The names of the rules that the module defines, without their defaults.
pub(super) fn defined_rules(module: &Module) -> BTreeSet<String> {
    let defines = |rule: &&Ref<Rule>| matches!(rule.as_ref(), Rule::Spec { .. });
    module
        .policy
        .iter()
        .filter(defines)
        .filter_map(|rule| rule_path(rule))
        .collect()
}

/// The names of the rules that the module gives a default itself.
pub(super) fn defaulted_rules(module: &Module) -> BTreeSet<String> {
    let defaults = |rule: &&Ref<Rule>| matches!(rule.as_ref(), Rule::Default { .. });
    module
        .policy
        .iter()
        .filter(defaults)
        .filter_map(|rule| rule_path(rule))
        .collect()
}

/// The first names of all rules, defaults too: of `track` and of `deny[message]`.
pub(super) fn rule_names(module: &Module) -> BTreeSet<String> {
    let first = |path: String| path.split('.').next().unwrap_or_default().to_owned();
    module
        .policy
        .iter()
        .filter_map(|rule| rule_path(rule).or_else(|| base_of(rule)).map(first))
        .collect()
}

/// The engine's error as a problem: its message is three lines of picture and one of reason.
pub(super) fn problem_of(file: &str, message: &str) -> Problem {
    let reason = message.rsplit("\nerror: ").next().unwrap_or(message);
    let reason = reason
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("no reason given");
    let mut problem = Problem::error(reason.trim().trim_end_matches('.')).in_file(file);
    let place = message
        .split_once("--> ")
        .and_then(|(_, rest)| rest.lines().next())
        .and_then(|place| place.strip_prefix(file))
        .and_then(|place| place.strip_prefix(':'))
        .and_then(|place| place.split_once(':'));
    if let Some((line, column)) = place {
        problem.line = line.parse().ok();
        problem.column = column.parse().ok();
    }
    problem
}

/// The problem at the beginning of the span. The engine's own columns count bytes, and a tab as four.
pub(super) fn problem_at(span: &Span, message: impl Into<String>) -> Problem {
    let offset = usize::try_from(span.start).unwrap_or(usize::MAX);
    Problem::error(message)
        .in_file(span.source.file().as_str())
        .at(span.source.contents(), offset)
}

/// Refuses what OPA refuses to parse, and the engine takes for rules that always hold: `approve if {…}`
/// is two of them in v0.
fn check_head(rule: &Rule, problems: &mut Vec<Problem>) {
    const KEYWORDS: [&str; 4] = ["contains", "every", "if", "in"];
    let name = rule_path(rule)
        .or_else(|| base_of(rule))
        .unwrap_or_default();
    let first = name.split('.').next().unwrap_or_default();
    if KEYWORDS.contains(&first) {
        problems.push(
            problem_at(rule.span(), format!("no rule can be called {first}"))
                .with_hint("`import rego.v1` makes it a keyword"),
        );
    }
    if let Rule::Spec {
        head: RuleHead::Compr { assign: None, .. },
        bodies,
        ..
    } = rule
        && bodies.iter().all(|body| body.query.stmts.is_empty())
    {
        problems.push(problem_at(
            rule.span(),
            format!("the rule {name} has neither a value nor a body"),
        ));
    }
}

/// The key of a head that may be absent has to be found by one body.
fn check_keys(rule: &Rule, problems: &mut Vec<Problem>) {
    let Rule::Spec { head, bodies, .. } = rule else {
        return;
    };
    if matches!(bodies.as_slice(), [body] if !body.query.stmts.is_empty()) {
        return;
    }
    for key in head_keys(head) {
        if !is_plain(key) && !matches!(**key, Expr::Var { .. }) {
            problems.push(
                problem_at(
                    key.span(),
                    "a key of the head is computed without a body of its own",
                )
                .with_hint("write one body, which computes the key: key := …"),
            );
        }
    }
}

fn check_package(module: &Module, problems: &mut Vec<Problem>) {
    let package = path(&module.package.refr).unwrap_or_default();
    if package != PACKAGE {
        problems.push(problem_at(
            &module.package.span,
            format!("the package is {package:?}; a policy is in package {PACKAGE}"),
        ));
    }
}

fn own_functions(module: &Module) -> BTreeSet<String> {
    module
        .policy
        .iter()
        .filter(|rule| {
            matches!(
                rule.as_ref(),
                Rule::Spec {
                    head: RuleHead::Func { .. },
                    ..
                }
            ) || matches!(rule.as_ref(), Rule::Default { args, .. } if !args.is_empty())
        })
        .filter_map(|rule| rule_path(rule))
        .collect()
}

/// The policy's own function under the name it is called by: `f` or `data.spacelift.f`.
fn own_name(function: &str) -> &str {
    function.strip_prefix("data.spacelift.").unwrap_or(function)
}

fn check_functions(module: &Module, calls: &[Call<'_>], problems: &mut Vec<Problem>) {
    let own = own_functions(module);
    for call in calls {
        let function = call.function.as_str();
        if own.contains(own_name(function)) || function == "print" {
            continue;
        }
        if builtins::FORBIDDEN.contains(&function) {
            problems.push(problem_at(
                call.span,
                format!("the builtin {function} is forbidden in policies, as on Spacelift"),
            ));
            continue;
        }
        let count = call.parameters.len();
        match builtins::argument_count(function, engine_of(module)) {
            None if let Some(reason) = builtins::absent(function) => problems.push(problem_at(
                call.span,
                format!("the builtin {function} is not available: {reason}"),
            )),
            None => problems.push(
                problem_at(call.span, format!("there is no function {function}"))
                    .with_hint("dayfly has most of OPA's builtins, but not all of them"),
            ),
            // A builtin may take the variable for its result as one more argument.
            Some(takes) if count != takes && count != takes + 1 => problems.push(problem_at(
                call.span,
                format!("the function {function} takes {takes} arguments, not {count}"),
            )),
            Some(_) => {}
        }
    }
}

/// A function that calls itself would run until the stack is used up. OPA refuses it as well.
fn check_recursion(module: &Module, calls: &[Call<'_>], problems: &mut Vec<Problem>) {
    let own = own_functions(module);
    let mut callees: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for call in calls {
        let callee = own_name(&call.function);
        if own.contains(callee) {
            callees
                .entry(call.caller.as_str())
                .or_default()
                .insert(callee);
        }
    }
    for rule in &module.policy {
        let Some(name) = rule_path(rule) else {
            continue;
        };
        if reached_from(&name, &callees).contains(name.as_str()) {
            problems.push(problem_at(
                rule.span(),
                format!("the function {name} calls itself"),
            ));
        }
    }
}

/// Refuses rules that need each other's values, as OPA does. Rules of one first name that give parts of
/// it, such as `a.b`, may need other parts.
fn check_circles(module: &Module, named: &[Named], problems: &mut Vec<Problem>) {
    let functions = own_functions(module);
    let rules = rule_names(module);
    let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Named { by, name } in named {
        let needed = needs.entry(by).or_default();
        if rules.contains(name) {
            needed.insert(name);
        } else if name == "data" {
            needed.extend(rules.iter().map(String::as_str));
        }
    }
    let parts = |name: &str| {
        let of_parts = |rule: &&Ref<Rule>| rule_path(rule).is_some_and(|path| path != name);
        let mut rules = module.policy.iter().filter(of_parts);
        rules.any(|rule| base_of(rule).as_deref() == Some(name))
    };
    for rule in &module.policy {
        let Some(name) = base_of(rule).filter(|name| !functions.contains(name)) else {
            continue;
        };
        if reached_from(&name, &needs).contains(name.as_str()) && !parts(&name) {
            problems.push(problem_at(
                rule.span(),
                format!("the rule {name} needs its own value"),
            ));
        }
    }
}

/// Everything that `name` comes to, step by step.
fn reached_from<'m>(name: &str, steps: &BTreeMap<&'m str, BTreeSet<&'m str>>) -> BTreeSet<&'m str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![name];
    while let Some(from) = open.pop() {
        for to in steps.get(from).into_iter().flatten() {
            if reached.insert(*to) {
                open.push(to);
            }
        }
    }
    reached
}
