//! The cache of providers that all runs share, with a provider in an archive, as a registry has it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::{Output, PullRequest, SERVICE, Scene};

const MODULE: &str = r#"
terraform {
  required_providers {
    local = {
      source  = "registry.terraform.io/hashicorp/local"
      version = "1.4.0"
    }
  }
}
variable "environment" {}
variable "code_version" {}
resource "local_file" "page" {
  filename = "PAGES/${var.environment}.html"
  content  = var.code_version
}
"#;

/// The real tool, but for the first `init` that unpacks the provider: in the midst of that it is killed,
/// and dayfly with it.
const TOOL: &str = r#"#!/bin/sh
if [ "$1" = init ] && rm WORLD/strike 2>/dev/null; then
  exec 3<&0
  REAL "$@" <&3 &
  while kill -0 $! 2>/dev/null; do
    [ -s UNPACKED ] || continue
    kill -9 "$(cat WORLD/data/lock)" $!
    exit 1
  done
  touch WORLD/strike
  wait $!
  exit
fi
exec REAL "$@"
"#;

const STACKS: u64 = 4;

/// Where `scripts/tools provider` has put the provider.
fn providers() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cache = std::env::home_dir().map(|home| home.join(".cache/dayfly/tools"));
    std::env::split_paths(&path)
        .chain(cache)
        .map(|tools| tools.join("providers"))
        .find(|providers| providers.is_dir())
        .expect("a provider is needed: run scripts/tools provider")
}

fn archive() -> PathBuf {
    let directory = providers().join("registry.terraform.io/hashicorp/local");
    let mut entries = fs::read_dir(directory).unwrap();
    entries.next().unwrap().unwrap().path()
}

/// The size of the one file in the archive, by the archive.
fn unpacked_bytes() -> u64 {
    let bytes = fs::read(archive()).unwrap();
    u32::from_le_bytes(bytes[22..26].try_into().unwrap()).into()
}

fn apply(scene: &Scene) -> Output {
    let configuration = scene.world.path("terraformrc");
    let text = format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
        providers().display()
    );
    fs::write(&configuration, text).unwrap();
    let data = scene.world.path("data");
    let words = [
        "apply",
        "--parallelism",
        "4",
        "--output",
        "json",
        "--manager",
        &scene.manager.url,
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let variables = [("TF_CLI_CONFIG_FILE", configuration.to_str().unwrap())];
    scene.world.dayfly_with(&variables, &words)
}

#[test]
fn init_that_is_killed_leaves_no_part_of_a_provider_to_the_others() {
    let scene = Scene::new();
    let world = scene.world.path("").display().to_string();
    let world = world.trim_end_matches('/');
    let pages = scene.world.path("pages").display().to_string();
    let module = MODULE.replace("PAGES", &pages);
    scene.infra.commit("main", &[("main.tf", &module)]);
    let plugins = scene.world.path("data/plugins");
    let archive = archive();
    let system = archive.file_stem().unwrap().to_str().unwrap();
    let system = system.strip_prefix("terraform-provider-local_1.4.0_");
    let package = plugins.join("registry.terraform.io/hashicorp/local/1.4.0");
    let unpacked = package
        .join(system.unwrap())
        .join("terraform-provider-local_v1.4.0");
    for name in ["terraform", "tofu"] {
        if let Ok(real) = fs::read_link(scene.world.path("bin").join(name)) {
            let tool = TOOL.replace("WORLD", world);
            let tool = tool.replace("UNPACKED", unpacked.to_str().unwrap());
            let tool = tool.replace("REAL", real.to_str().unwrap());
            scene.world.program(name, &tool);
        }
    }
    for number in 0..STACKS {
        let sha = format!("{number}").repeat(40);
        let pull_request = PullRequest::new(SERVICE, 10 + number, &sha, "feature");
        scene.event("opened", &pull_request);
    }
    let mut is_partial = false;
    for _ in 0..10 {
        let _absent = fs::remove_dir_all(&plugins);
        fs::write(scene.world.path("strike"), "").unwrap();
        assert_eq!(apply(&scene).status, -1, "it was not killed");
        let there = fs::metadata(&unpacked).unwrap().len();
        is_partial = there < unpacked_bytes();
        if is_partial {
            break;
        }
    }
    assert!(is_partial, "it is too fast to be killed");

    let applied = apply(&scene).succeeded();
    let runs = Scene::runs_of(&applied);
    assert!(!runs.iter().any(|run| run.ends_with("FAILED")), "{runs:?}");
    let stand = fs::read_dir(scene.world.path("pages")).unwrap().count();
    assert_eq!(stand as u64, STACKS);
    let whole = fs::metadata(&unpacked).unwrap();
    assert_eq!(whole.len(), unpacked_bytes());
    assert_ne!(whole.permissions().mode() & 0o100, 0);
    // What is whole stays: nothing is unpacked again.
    let made = whole.modified().unwrap();
    let next = PullRequest::new(SERVICE, 20, &"f".repeat(40), "feature");
    scene.event("opened", &next);
    apply(&scene).succeeded();
    let after = fs::metadata(&unpacked).unwrap();
    assert_eq!(after.modified().unwrap(), made);
}
