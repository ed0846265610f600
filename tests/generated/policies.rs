//! The policies' own tests, in the engine that dayfly evaluates policies with.

use dayfly::generate::{ManagerRepository, manager_repository, service};
use dayfly::policy::{Engine, TestResult, run_tests};

use super::sample::hello;

#[test]
fn generated_policies_pass_their_tests() {
    let repository = manager_repository(&ManagerRepository {
        repository: "acme/previews".parse().unwrap(),
        stack_manager: dayfly::config::StackManager::Spacelift,
        clone_url: None,
        clone_urls: Default::default(),
    });
    let files = [repository.unwrap(), service(&hello()).unwrap()].concat();
    for directory in ["policies/", "hello-service/policies/"] {
        let named: Vec<(&str, &str)> = files
            .iter()
            .filter(|file| file.path.starts_with(directory))
            .map(|file| (file.path.as_str(), file.text.as_str()))
            .collect();
        let policies = |(path, _): &&(&str, &str)| {
            !path.ends_with("_test.rego") && !path.ends_with("/sanitized.rego")
        };
        for (path, _) in named.iter().filter(policies) {
            let test = path.replace(".rego", "_test.rego");
            assert!(
                named.iter().any(|(other, _)| **other == test),
                "{path} has no tests"
            );
        }
        let tested = run_tests(Engine::RegoV0, &named, false).unwrap();
        assert!(tested.outcomes.len() >= 20, "{directory}: {tested:?}");
        for outcome in tested.outcomes {
            assert_eq!(
                outcome.result,
                TestResult::Pass,
                "{directory}{}",
                outcome.name
            );
        }
    }
}
