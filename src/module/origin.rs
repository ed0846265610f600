//! Where a resource came from, recorded with it so that its absence can be told from a file that
//! cannot be read.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer as _};

/// One module call on the way to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct Call {
    /// As Terraform prints it: `module.hello-service.module.instances`.
    pub address: String,
    /// The file in which the call stands, from the root of the repository.
    pub file: String,
    /// Whether it is an environment whose file says `fork`, and not that it is false.
    #[serde(default)]
    pub is_fork: bool,
}

/// The calls that lead to a resource, outermost first, and where its block stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub calls: Arc<[Call]>,
    /// From the root of the repository.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
}

impl Origin {
    /// The call that is an environment: it stands in a file of a directory named `environments`.
    pub fn environment(&self) -> Option<&Call> {
        environment(&self.calls)
    }

    /// The address as it is kept with the resource, told from the module that the resource is in.
    pub fn shortened<'a>(&self, address: &'a str) -> &'a str {
        below(self.module(), address)
    }

    /// The whole of an address that was shortened.
    pub fn whole(&self, shortened: &str) -> String {
        whole(self.module(), shortened)
    }

    fn module(&self) -> Option<&str> {
        self.calls.last().map(|call| &*call.address)
    }

    /// Whether it is part of an environment that a fork's pull request has.
    pub fn is_fork(&self) -> bool {
        self.calls.iter().any(|call| call.is_fork)
    }

    /// The directory of the service that it is part of, if it is part of one.
    pub fn service(&self) -> Option<&str> {
        let calls = self.calls.iter().map(|call| call.file.as_str());
        let mut files = calls.chain([self.file.as_str()]);
        files.find_map(|file| Some(file.split_once('/')?.0))
    }
}

/// The call that is an environment among those that lead to a resource.
pub fn environment(calls: &[Call]) -> Option<&Call> {
    calls.iter().find(|call| {
        let directory = call.file.rsplit_once('/');
        is_environments(directory.map_or("", |(directory, _)| directory))
    })
}

/// A call as it is written: each address is told from the one before, from which on it begins with a dot.
#[derive(Serialize)]
struct Step<'a> {
    address: &'a str,
    file: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_fork: bool,
}

/// The calls as JSON.
pub fn write_calls(calls: &[Call]) -> Result<String, serde_json::Error> {
    let mut before = None;
    let steps = calls.iter().map(|call| {
        let around = before.replace(&*call.address);
        Step {
            address: below(around, &call.address),
            file: &call.file,
            is_fork: call.is_fork,
        }
    });
    let mut text = Vec::new();
    serde_json::Serializer::new(&mut text).collect_seq(steps)?;
    String::from_utf8(text).map_err(serde::ser::Error::custom)
}

/// The calls that [`write_calls`] wrote, or an older dayfly: whole addresses.
pub fn read_calls(text: &str) -> Result<Arc<[Call]>, serde_json::Error> {
    let mut calls: Vec<Call> = serde_json::from_str(text)?;
    for index in 1..calls.len() {
        let address = whole(Some(&calls[index - 1].address), &calls[index].address);
        calls[index].address = address;
    }
    Ok(calls.into())
}

/// The address from that of the module around on, with the dot between them; the whole where it is not in
/// that module.
fn below<'a>(around: Option<&str>, address: &'a str) -> &'a str {
    let rest = around.and_then(|around| address.strip_prefix(around));
    rest.filter(|rest| rest.starts_with('.')).unwrap_or(address)
}

/// The whole of an address that [`below`] gave.
fn whole(around: Option<&str>, address: &str) -> String {
    match around.filter(|_| address.starts_with('.')) {
        Some(around) => [around, address].concat(),
        None => address.to_owned(),
    }
}

/// Whether the calls in a directory are environments.
pub fn is_environments(directory: &str) -> bool {
    directory.rsplit('/').next() == Some("environments")
}

#[cfg(test)]
mod tests {
    use super::{Call, Origin, read_calls, write_calls};

    #[test]
    fn an_environment_stands_in_its_directory() {
        let call = |address: &str, file: &str| Call {
            address: address.into(),
            file: file.into(),
            is_fork: false,
        };
        let origin = Origin {
            calls: [
                call("module.hello", "main.tf"),
                call("module.hello.module.instances", "hello/main.tf"),
                call(
                    "module.hello.module.instances.module.x",
                    "hello/environments/x.tf",
                ),
            ]
            .into(),
            file: "hello/template/main.tf".into(),
            line: 1,
        };
        assert_eq!(
            origin.environment().unwrap().file,
            "hello/environments/x.tf"
        );
        let shared = Origin {
            calls: origin.calls[..2].into(),
            ..origin
        };
        assert_eq!(shared.environment(), None);
        assert_eq!((shared.service(), shared.is_fork()), (Some("hello"), false));
        assert_eq!(Origin::default().service(), None);
    }

    #[test]
    fn addresses_are_written_from_the_module_around_on() {
        let call = |address: &str, is_fork| Call {
            address: address.into(),
            file: "x.tf".into(),
            is_fork,
        };
        let origin = Origin {
            calls: [
                call("module.a", false),
                call("module.a.module.b[\".\"]", true),
                call("module.ab", false),
            ]
            .into(),
            file: "y.tf".into(),
            line: 1,
        };
        let written = write_calls(&origin.calls).unwrap();
        assert!(written.contains(r#""address":".module.b[\".\"]","file":"x.tf","is_fork":true"#));
        assert_eq!(read_calls(&written).unwrap(), origin.calls);
        let by_an_older_one = written.replace(":\".module.b", ":\"module.a.module.b");
        assert_ne!(by_an_older_one, written);
        assert_eq!(read_calls(&by_an_older_one).unwrap(), origin.calls);

        for address in ["module.ab.x.y", "module.abc.x.y", "x.y", "module.ab"] {
            assert_eq!(origin.whole(origin.shortened(address)), address);
        }
        assert_eq!(origin.shortened("module.ab.x.y"), ".x.y");
        assert_eq!(Origin::default().shortened("x.y"), "x.y");
    }
}
