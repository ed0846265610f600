//! The same layout for Terraform alone: `terraform_data` in the place of Spacelift's resources.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::routing::any;
use regex::Regex;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

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
        Ok(terraform)
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.ground.path("terraform")
    }

    /// Applies everything, into a local state.
    ///
    /// Terraform writes a local state anew after each resource, which at 8,000 of them takes longer than all
    /// else here. Its `http` backend writes now and then; what that has at the end becomes the local state.
    pub(crate) fn apply(&self) -> Result<()> {
        let states = StateServer::start()?;
        let backend = self.directory().join("backend_override.tf");
        let address = &states.address;
        fs::write(
            &backend,
            format!("terraform {{\n  backend \"http\" {{\n    address = \"{address}\"\n  }}\n}}\n"),
        )?;
        self.run(&["init"])?;
        self.run(&["apply", "-auto-approve"])?;
        fs::remove_file(backend)?;
        fs::remove_dir_all(self.directory().join(".terraform"))?;
        fs::write(self.directory().join("terraform.tfstate"), states.kept())?;
        self.run(&["init"])?;
        Ok(())
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

/// What Terraform's `http` backend asks for: one state, without a lock.
struct StateServer {
    address: String,
    state: Arc<Mutex<Bytes>>,
    _runtime: Runtime,
}

impl StateServer {
    fn start() -> Result<Self> {
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = format!("http://{}/", listener.local_addr()?);
        let state = Arc::new(Mutex::new(Bytes::new()));
        let kept = state.clone();
        let answer = async move |request: Request| {
            if request.method() != Method::POST {
                let state = kept.lock().expect("nothing panics with it").clone();
                let is_there = !state.is_empty();
                let status = if is_there {
                    StatusCode::OK
                } else {
                    StatusCode::NOT_FOUND
                };
                return (status, state);
            }
            match to_bytes(request.into_body(), usize::MAX).await {
                Ok(body) => *kept.lock().expect("nothing panics with it") = body,
                Err(_) => return (StatusCode::BAD_REQUEST, Bytes::new()),
            }
            (StatusCode::OK, Bytes::new())
        };
        let router = Router::new().route("/", any(answer));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            address,
            state,
            _runtime: runtime,
        })
    }

    fn kept(&self) -> Bytes {
        self.state.lock().expect("nothing panics with it").clone()
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
