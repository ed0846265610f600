//! A module as it is called: its address, what it was given, and what has been evaluated of it.

use std::cell::RefCell;
use std::sync::Arc;

use super::definitions::Module;
use super::json::go_quoted;
use super::origin::Call;
use super::value::Value;

/// Which of several a call or resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Only,
    Index(usize),
    Name(String),
}

impl Key {
    /// What stands behind the address: nothing, `[0]` or `["name"]`.
    pub(super) fn suffix(&self) -> String {
        match self {
            Self::Only => String::new(),
            Self::Index(index) => format!("[{index}]"),
            Self::Name(name) => {
                let quoted = go_quoted(name).replace("${", "$${").replace("%{", "%%{");
                format!("[{quoted}]")
            }
        }
    }
}

/// What `count` and `each` stand for in a repeated block.
#[derive(Clone, Debug, Default)]
pub(super) struct Repetition {
    pub count: Option<usize>,
    pub each: Option<(Value, Value)>,
}

/// How a repeated block came out: the keys in order, and what stands behind each.
#[derive(Clone, Debug)]
pub(super) struct Expansion {
    pub shape: Shape,
    /// The index of an instance or of a resource, by what was expanded.
    pub members: Vec<(Key, usize)>,
}

impl Expansion {
    /// Whether one of the members has this behind its address.
    pub(super) fn has(&self, suffix: &str) -> bool {
        self.members.iter().any(|(key, _)| key.suffix() == suffix)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Once,
    Count,
    Each,
}

/// The resources that a value depends on, by their index.
pub(super) type Dependencies = Arc<[usize]>;

/// What is known of something that is evaluated at most once.
#[derive(Clone, Debug, Default)]
pub(super) enum Slot<T> {
    #[default]
    Open,
    /// Being evaluated: who asks now asks in a circle.
    Busy,
    /// The value, or nothing if the failure has been reported.
    Done(Option<T>, Dependencies),
}

pub(super) type Slots<T> = RefCell<Vec<Slot<T>>>;

/// The value of a slot, if it has been evaluated and did not fail.
pub(super) fn done<T: Clone>(slots: &Slots<T>, index: usize) -> Option<T> {
    match slots.borrow().get(index) {
        Some(Slot::Done(value, _)) => value.clone(),
        _ => None,
    }
}

/// One instance of a module.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub id: usize,
    pub module: Arc<Module>,
    /// As Terraform prints it; empty for the root.
    pub address: String,
    /// The calls that lead here, outermost first.
    pub calls: Arc<[Call]>,
    /// The calling instance, and the index of the call among its definitions.
    pub parent: Option<(usize, usize)>,
    pub repetition: Repetition,
    /// The environment that this is part of, by its index.
    pub environment: Option<usize>,
    /// What the number of instances depended on.
    pub dependencies: Dependencies,
    pub variables: Slots<Value>,
    pub locals: Slots<Value>,
    pub outputs: Slots<Value>,
    pub children: Slots<Arc<Expansion>>,
    pub resources: Slots<Arc<Expansion>>,
}

impl Instance {
    pub(super) fn new(id: usize, module: Arc<Module>, address: String) -> Self {
        fn open<T: Clone>(count: usize) -> Slots<T> {
            RefCell::new(vec![Slot::Open; count])
        }
        Self {
            id,
            address,
            calls: Arc::from([]),
            parent: None,
            repetition: Repetition::default(),
            environment: None,
            dependencies: Arc::from([]),
            variables: open(module.variables.len()),
            locals: open(module.locals.len()),
            outputs: open(module.outputs.len()),
            children: open(module.calls.len()),
            resources: open(module.resources.len()),
            module,
        }
    }

    /// Whether nothing has asked for what any of its calls comes to.
    pub(super) fn is_childless(&self) -> bool {
        let children = self.children.borrow();
        children.iter().all(|slot| matches!(slot, Slot::Open))
    }

    /// Lets go of all values, once nothing more is evaluated: in memory they stand beside all that was
    /// made of them.
    pub(super) fn forget_values(&self) {
        for values in [&self.variables, &self.locals, &self.outputs] {
            values.take();
        }
    }

    /// The address of something in this module.
    pub(super) fn address_of(&self, name: &str) -> String {
        if self.address.is_empty() {
            name.to_owned()
        } else {
            // Of these there are many: no more room than it takes.
            [&self.address, ".", name].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn keys_print_as_in_terraform() {
        assert_eq!(
            Key::Name("a\"b${c}".to_owned()).suffix(),
            r#"["a\"b$${c}"]"#
        );
        assert_eq!(Key::Index(3).suffix(), "[3]");
    }
}
