//! The same layout for Terraform alone: `terraform_data` in the place of Spacelift's resources.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use regex::Regex;

use super::ground::{Ground, output, text};

pub(crate) struct Terraform<'a> {
    ground: &'a Ground,
}

impl<'a> Terraform<'a> {
    /// Checks the manager repository out and writes its resources anew.
    pub(crate) fn lay_out(ground: &'a Ground) -> Result<Self> {
        let terraform = Self { ground };
        let directory = terraform.directory();
        ground.git(&["clone", "-q", text(&ground.bare()), text(&directory)])?;
        for file in [
            "main.tf",
            "hello-service/main.tf",
            "hello-service/template/main.tf",
        ] {
            let path = directory.join(file);
            fs::write(&path, translated(&fs::read_to_string(&path)?)?)?;
        }
        terraform.run(&["init"])?;
        Ok(terraform)
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.ground.path("terraform")
    }

    pub(crate) fn apply(&self) -> Result<Duration> {
        self.run(&["apply", "-auto-approve"])
    }

    /// What a plan takes that finds one change.
    pub(crate) fn plan(&self) -> Result<Duration> {
        let took = self.run(&["plan", "-out", "plan"])?;
        let plan = self.command(&["show", "-no-color", "plan"])?;
        ensure!(
            plan.contains("0 to add, 1 to change, 0 to destroy"),
            "one value was changed: {plan}"
        );
        Ok(took)
    }

    fn run(&self, arguments: &[&str]) -> Result<Duration> {
        let began = Instant::now();
        self.command(arguments)?;
        Ok(began.elapsed())
    }

    fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.ground.command("terraform");
        command.current_dir(self.directory()).args(arguments);
        command
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1");
        output(&mut command).context("terraform is what this is measured beside")
    }
}

/// The same blocks under the same names; what they hold becomes the input of a `terraform_data`.
fn translated(text: &str) -> Result<String> {
    let reference = Regex::new(r"\bspacelift_(\w+)\.(\w+)")?;
    let block = Regex::new(r#"^(resource|data) "spacelift_(\w+)" "(\w+)""#)?;
    let nested = Regex::new(r"^  (\w+) \{$")?;
    let mut lines = Vec::new();
    let mut inside: Option<Vec<String>> = None;
    let mut skipping = false;
    let mut waits = false;
    for line in text.lines() {
        if let Some(found) = block.captures(line) {
            if &found[1] == "data" {
                // It is one line.
                continue;
            }
            lines.push(format!(
                "resource \"terraform_data\" \"{}_{}\" {{",
                &found[2], &found[3]
            ));
            inside = Some(Vec::new());
            continue;
        }
        if line.trim_start().starts_with("required_providers") {
            skipping = true;
        }
        if skipping {
            skipping = line != "  }";
            continue;
        }
        let line = line.replace("data.spacelift_current_stack.this.id", "\"previews\"");
        let line = reference
            .replace_all(&line, "terraform_data.${1}_$2")
            .into_owned();
        match &mut inside {
            None => lines.push(line),
            Some(input) if line == "}" => {
                lines.push("  input = {".to_owned());
                lines.append(input);
                lines.extend(["  }".to_owned(), line]);
                inside = None;
            }
            Some(input) => {
                let is_meta = ["  for_each", "  count", "  depends_on"];
                waits |= line.starts_with("  depends_on");
                if waits || is_meta.iter().any(|name| line.starts_with(name)) {
                    waits &= !line.ends_with(']');
                    lines.push(line);
                } else {
                    input.push(nested.replace(&line, "  $1 = {").into_owned());
                }
            }
        }
    }
    Ok(lines.join("\n") + "\n")
}
