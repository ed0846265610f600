//! A GitHub of its own: the part of its REST API that dayfly uses, as its documentation says it
//! behaves, behind real HTTP. It lives outside of the product and shares no code with it.

mod answer;
mod app;
mod failures;
mod people;
mod comments;
mod gate;
mod git;
mod limits;
mod pages;
mod pulls;
mod state;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::oneshot;

pub(crate) use failures::Failure;
use gate::HeldRequests;
pub(crate) use git::Merge;
pub(crate) use limits::Limit;
pub(crate) use state::{Grant, Trouble};
use state::{Pull, Repository, Review, World};

/// Serves until it is dropped.
pub(crate) struct FakeGithub {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    gate: gate::GateAt,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeGithub {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(Mutex::new(World::new(format!("http://{address}"))));
        let gate = gate::GateAt::default();
        let shared = (world.clone(), gate.clone());
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = Router::new().fallback(answer).with_state(shared);
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self {
            address,
            world,
            gate,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The address of the API, with a path as an enterprise server has one.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/api/v3", self.address)
    }

    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap();
        world.look_at_branches();
        act(&mut world)
    }

    /// Makes a private repository known; with `git`, its pull requests see that bare repository.
    pub(crate) fn repository(&self, name: &str, id: u64, git: Option<&Path>) {
        self.with(|world| {
            let repository = Repository::new(name, id, git);
            world.repositories.push(repository);
        });
    }

    /// Gives a token what it may see and do.
    pub(crate) fn token(&self, token: &str, grant: Grant) {
        self.with(|world| world.tokens.insert(token.to_owned(), grant));
    }

    /// Installs an App on repositories. `key` is its private key in PEM: the fake keeps the public
    /// part of it.
    pub(crate) fn install_app(&self, id: &str, key: &str, installation: u64, grant: Grant) {
        let app = app::App::new(id, key, installation, grant);
        self.with(|world| world.apps.push(app));
    }

    /// Whether a token of an installation opens a repository to a push by git.
    pub(crate) fn opens_git(&self) -> Arc<dyn Fn(&str) -> bool + Send + Sync> {
        let world = self.world.clone();
        Arc::new(move |token| world.lock().unwrap().opens_git(token))
    }

    /// Every installation token that was given out.
    pub(crate) fn given_tokens(&self) -> Vec<(String, Grant)> {
        self.with(|world| {
            let given = world.tokens.iter();
            given
                .filter(|(token, _)| token.starts_with("ghs_"))
                .map(|(token, grant)| (token.clone(), grant.clone()))
                .collect()
        })
    }

    /// Lets a pull request exist that no git repository stands behind, or changes it: `payload` is
    /// that of an event.
    pub(crate) fn put_pull(&self, repository: &str, payload: &Value) {
        self.with(|world| {
            let pull = Pull::from_payload(&payload["pull_request"]);
            let found = world.repository_mut(repository).unwrap();
            found.pulls.retain(|other| other.number != pull.number);
            found.pulls.push(pull);
        });
    }

    /// The pull requests of a repository, as the API would tell them, oldest first.
    pub(crate) fn pulls(&self, repository: &str) -> Vec<Value> {
        self.with(|world| {
            let found = world.repository(repository).unwrap();
            let pulls = found.pulls.iter();
            pulls.map(|pull| pull.json(found, &world.base)).collect()
        })
    }

    /// A person merges it; panics where GitHub would say that it cannot be merged.
    pub(crate) fn merge(&self, repository: &str, number: u64, how: Merge) {
        self.with(|world| world.merge(repository, number, how));
    }

    /// A person closes it, and leaves the branch.
    pub(crate) fn close(&self, repository: &str, number: u64) {
        self.with(|world| world.close(repository, number));
    }

    /// What goes wrong from now on.
    pub(crate) fn trouble(&self, trouble: Option<Trouble>) {
        self.with(|world| {
            world.trouble = trouble;
            world.remaining = 5_000;
        });
    }

    /// What calls that change something meet from now on, as long as it says.
    pub(crate) fn limit(&self, limit: Limit) {
        self.with(|world| world.limit = Some((limit, None)));
    }

    /// Holds the requests that `chooses` says it of, by words such as
    /// `POST /repos/acme/x/issues/1/comments`.
    pub(crate) fn hold(&self, chooses: impl FnMut(&str) -> bool + Send + 'static) -> HeldRequests {
        HeldRequests::begin(&self.gate, Box::new(chooses))
    }

    /// A person, or a bot, comments on a pull request; returns the id.
    pub(crate) fn say(&self, repository: &str, number: u64, author: &str, body: &str) -> u64 {
        self.with(|world| world.say(repository, number, author, body).id)
    }

    /// The comments that stand on a pull request, oldest first: who wrote them and what.
    pub(crate) fn comments(&self, repository: &str, number: u64) -> Vec<(String, String)> {
        self.with(|world| {
            let comments = world.comments.iter();
            let here = comments.filter(|one| one.repository == repository && one.number == number);
            here.map(|one| (one.author.clone(), one.body.clone()))
                .collect()
        })
    }

    /// A person deletes the comments that `author` wrote on a pull request.
    pub(crate) fn delete_comments_of(&self, repository: &str, number: u64, author: &str) {
        self.with(|world| {
            world.comments.retain(|one| {
                one.repository != repository || one.number != number || one.author != author
            });
        });
    }

    /// What the commits of a repository were told, oldest first: `COMMIT STATE CONTEXT: WORDS`.
    pub(crate) fn statuses(&self, repository: &str) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.with(|world| {
            let own = world.statuses.iter().filter(|(of, ..)| of == repository);
            own.map(|(_, commit, said)| {
                let [state, context, words] =
                    ["state", "context", "description"].map(|key| text(&said[key]));
                format!("{commit} {state} {context}: {words}")
            })
            .collect()
        })
    }

    /// A person reviews a pull request, as in `APPROVED`.
    pub(crate) fn review(&self, repository: &str, number: u64, author: &str, state: &str) {
        self.with(|world| {
            world.reviews.push(Review {
                repository: repository.to_owned(),
                number,
                author: author.to_owned(),
                state: state.to_owned(),
            });
        });
    }

    /// A person locks the conversation of a pull request.
    pub(crate) fn lock(&self, repository: &str, number: u64) {
        self.with(|world| world.locked.push((repository.to_owned(), number)));
    }

    /// How often each method was called, as in `POST /repos/acme/previews/pulls`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.with(|world| world.requests.clone())
    }
}

impl Drop for FakeGithub {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Shared = (Arc<Mutex<World>>, gate::GateAt);

async fn answer(State((world, gate)): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 1 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let path = parts.uri.path();
    let path = path.strip_prefix("/api/v3").unwrap_or(path);
    gate::pass(&gate, &format!("{} {path}", parts.method)).await;
    let is_hanging = world.lock().unwrap().is_hanging(&parts);
    if is_hanging {
        std::future::pending::<()>().await;
    }
    let broken = world.lock().unwrap().breaks(&parts);
    // Git is run in there: not on a thread that serves others.
    let answered = tokio::task::spawn_blocking(move || world.lock().unwrap().answer(&parts, &body))
        .await
        .unwrap();
    failures::broken(answered, broken).await
}
