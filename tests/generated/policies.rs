//! The policies' own tests, in the engine that dayfly evaluates policies with.

use dayfly::generate::{ManagerRepository, manager_repository, service};
use regorus::{Engine, Value};

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
        let mut engine = Engine::new();
        engine.set_strict_builtin_errors(false);
        let sanitized = |values: Vec<Value>| Ok(sanitize(values[0].as_string()?).into());
        engine
            .add_extension("sanitized".to_owned(), 1, Box::new(sanitized))
            .unwrap();
        let mut tests = Vec::new();
        for file in files.iter().filter(|file| file.path.starts_with(directory)) {
            // Built in here.
            if !file.path.ends_with("/sanitized.rego") {
                engine
                    .add_policy(file.path.clone(), file.text.clone())
                    .unwrap();
            }
            let names = file.text.lines().filter(|line| line.starts_with("test_"));
            tests.extend(
                names
                    .filter_map(|line| line.split(' ').next())
                    .map(str::to_owned),
            );
        }
        assert!(tests.len() >= 9, "{directory}: {tests:?}");
        for test in tests {
            let value = engine.eval_rule(format!("data.spacelift.{test}")).unwrap();
            assert_eq!(value, Value::from(true), "{directory}{test}");
        }
    }
}

fn sanitize(text: &str) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(text.as_bytes());
    hash.iter()
        .skip(28)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
