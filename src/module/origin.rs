//! Where a resource came from, recorded with it so that its absence can be told from a file that
//! cannot be read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One module call on the way to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// As Terraform prints it: `module.hello-service.module.instances`.
    pub address: String,
    /// The file in which the call stands, from the root of the repository.
    pub file: String,
    /// Whether it is an environment whose file says `fork`, and not that it is false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_fork: bool,
}

/// The calls that lead to a resource, outermost first, and where its block stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
        self.calls.iter().find(|call| {
            let directory = call
                .file
                .rsplit_once('/')
                .map_or("", |(directory, _)| directory);
            is_environments(directory)
        })
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

/// Whether the calls in a directory are environments.
pub fn is_environments(directory: &str) -> bool {
    directory.rsplit('/').next() == Some("environments")
}

#[cfg(test)]
mod tests {
    use super::{Call, Origin};

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
}
