//! A Git server on the loopback: `git http-backend` behind HTTP, as a real host serves it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::{oneshot, watch};

/// Serves every repository below one directory until it is dropped.
pub(crate) struct GitServer {
    address: SocketAddr,
    gate: Arc<Mutex<Option<Arc<Gate>>>>,
    traffic: Arc<Traffic>,
    others: Others,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    refusal: Arc<Mutex<Option<Refusal>>>,
    broken: Arc<Mutex<Option<Broken>>>,
}

/// What a server does that does not answer as it should.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Breakage {
    /// It hangs up without a word.
    Down,
    /// It takes so long for each answer.
    Slow(Duration),
    /// It answers with this status.
    Status(u16),
    /// It answers with a page for people, and calls it well.
    Page,
    /// Its answers end after so many bytes.
    Cut(usize),
}

struct Broken {
    repository: &'static str,
    breakage: Breakage,
}

/// An answer that breaks off before its first byte.
struct HangsUp;

impl http_body::Body for HangsUp {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let cut = std::io::ErrorKind::ConnectionReset.into();
        std::task::Poll::Ready(Some(Err(cut)))
    }
}

/// A server that is broken until this is dropped.
pub(crate) struct BrokenDown(Arc<Mutex<Option<Broken>>>);

impl Drop for BrokenDown {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = None;
    }
}

/// What the server was asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: usize,
    /// Packs asked for; with protocol 2 a listing of branches is one as well.
    pub(crate) fetches: usize,
    /// Packs sent, taken or not.
    pub(crate) pushes: usize,
    /// Those among them that would move a branch.
    pub(crate) branch_pushes: usize,
    pub(crate) bytes_received: usize,
    pub(crate) bytes_sent: usize,
}

/// Where a request is held on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// The server has not seen it.
    Before,
    /// The server has done it and has not answered.
    After,
}

/// Says of a request, by its path and its body, whether it is held.
type Chooses = Box<dyn FnMut(&str, &[u8]) -> bool + Send>;

struct Gate {
    hold: Hold,
    chooses: Mutex<Chooses>,
    /// Whether a request is held.
    is_held: watch::Sender<bool>,
    end: watch::Sender<Option<Fate>>,
}

/// What becomes of requests that were held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    GoOn,
    Fail,
}

/// A request that is held, or will be. Once this is dropped, what was held fails, and nothing is
/// held any more.
pub(crate) struct Held {
    gate: Arc<Gate>,
    at: Arc<Mutex<Option<Arc<Gate>>>>,
}

impl Held {
    /// Waits until a request is held.
    pub(crate) fn wait(&self) {
        let began = Instant::now();
        while !*self.gate.is_held.borrow() {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing is held");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a request is held, which is true, or the process has ended.
    pub(crate) fn wait_or_end(&self, child: &mut Child) -> bool {
        loop {
            if *self.gate.is_held.borrow() {
                return true;
            }
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets what was held go on.
    pub(crate) fn release(self) {
        self.gate.end.send_replace(Some(Fate::GoOn));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.at.lock().unwrap() = None;
        self.gate
            .end
            .send_if_modified(|end| end.replace(end.unwrap_or(Fate::Fail)).is_none());
    }
}

impl Gate {
    /// Whether a request is to be held.
    fn takes(&self, path: &str, body: &[u8]) -> bool {
        (self.chooses.lock().unwrap())(path, body)
    }

    /// Holds a request until its fate is known.
    async fn hold(&self) -> Fate {
        self.is_held.send_replace(true);
        let mut end = self.end.subscribe();
        let fate = end.wait_for(Option::is_some).await.map(|fate| *fate);
        fate.ok().flatten().unwrap_or(Fate::Fail)
    }
}

#[derive(Default)]
struct Traffic {
    requests: AtomicUsize,
    fetches: AtomicUsize,
    pushes: AtomicUsize,
    branch_pushes: AtomicUsize,
    bytes_received: AtomicUsize,
    bytes_sent: AtomicUsize,
}

/// Tells which other tokens open the door.
type Others = Arc<Mutex<Option<Arc<dyn Fn(&str) -> bool + Send + Sync>>>>;

struct Site {
    root: PathBuf,
    gate: Arc<Mutex<Option<Arc<Gate>>>>,
    /// The `Authorization` that opens the door.
    authorization: Option<String>,
    others: Others,
    refusal: Arc<Mutex<Option<Refusal>>>,
    broken: Arc<Mutex<Option<Broken>>>,
    traffic: Arc<Traffic>,
}

/// What is answered to whoever asks for a path with this in it.
struct Refusal {
    path: &'static str,
    status: u16,
    words: &'static str,
}

impl GitServer {
    /// Serves `root`; with a token, only to those who send it as GitHub wants it sent.
    pub(crate) fn start(root: &Path, token: Option<&str>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let traffic = Arc::new(Traffic::default());
        let authorization = token.map(|token| {
            format!(
                "Basic {}",
                STANDARD.encode(format!("x-access-token:{token}"))
            )
        });
        let others = Others::default();
        let refusal = Arc::default();
        let broken = Arc::default();
        let gate = Arc::default();
        let site = Site {
            root: root.to_owned(),
            gate: Arc::clone(&gate),
            authorization,
            others: others.clone(),
            refusal: Arc::clone(&refusal),
            broken: Arc::clone(&broken),
            traffic: traffic.clone(),
        };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = Router::new().fallback(answer).with_state(Arc::new(site));
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self {
            address,
            gate,
            traffic,
            others,
            refusal,
            broken,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Opens the door also to the tokens that `judge` takes, such as those of an App.
    pub(crate) fn also_admit(&self, judge: Arc<dyn Fn(&str) -> bool + Send + Sync>) {
        *self.others.lock().unwrap() = Some(judge);
    }

    /// Refuses whoever asks for a path, or its query, with `path` in it, in these words.
    pub(crate) fn refuse(&self, path: &'static str, status: u16, words: &'static str) {
        *self.refusal.lock().unwrap() = Some(Refusal {
            path,
            status,
            words,
        });
    }

    /// Breaks what is said of the repositories that have this in their name.
    pub(crate) fn break_down(&self, repository: &'static str, breakage: Breakage) -> BrokenDown {
        *self.broken.lock().unwrap() = Some(Broken {
            repository,
            breakage,
        });
        BrokenDown(self.broken.clone())
    }

    /// Holds the requests that `chooses` says it of.
    pub(crate) fn hold(
        &self,
        hold: Hold,
        chooses: impl FnMut(&str, &[u8]) -> bool + Send + 'static,
    ) -> Held {
        let gate = Arc::new(Gate {
            hold,
            chooses: Mutex::new(Box::new(chooses)),
            is_held: watch::Sender::new(false),
            end: watch::Sender::new(None),
        });
        *self.gate.lock().unwrap() = Some(gate.clone());
        Held {
            gate,
            at: self.gate.clone(),
        }
    }

    /// The URL of a path below the root.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub(crate) fn counts(&self) -> Counts {
        let load = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        Counts {
            requests: load(&self.traffic.requests),
            fetches: load(&self.traffic.fetches),
            pushes: load(&self.traffic.pushes),
            branch_pushes: load(&self.traffic.branch_pushes),
            bytes_received: load(&self.traffic.bytes_received),
            bytes_sent: load(&self.traffic.bytes_sent),
        }
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn answer(State(site): State<Arc<Site>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, usize::MAX).await {
        Ok(body) => body,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    site.count(&parts, &body);
    let sent: Vec<_> = parts
        .headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .collect();
    if sent.len() > 1 {
        return (StatusCode::BAD_REQUEST, "two Authorization headers").into_response();
    }
    let asked = parts.uri.to_string();
    if let Some(refusal) = &*site.refusal.lock().unwrap()
        && asked.contains(refusal.path)
    {
        let status = StatusCode::from_u16(refusal.status).unwrap();
        let kind = [
            (header::CONTENT_TYPE, "text/plain"),
            (header::WWW_AUTHENTICATE, "Basic realm=\"git\""),
        ];
        return (status, kind, refusal.words).into_response();
    }
    if let Some(expected) = &site.authorization
        && sent
            .first()
            .is_none_or(|sent| sent.as_bytes() != expected.as_bytes())
        && !sent
            .first()
            .is_some_and(|sent| site.admits(&String::from_utf8_lossy(sent.as_bytes())))
    {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")];
        return (StatusCode::UNAUTHORIZED, challenge, "").into_response();
    }
    let gate = site.gate.lock().unwrap().clone();
    let gate = gate.filter(|gate| gate.takes(parts.uri.path(), &body));
    let breakage = site.broken.lock().unwrap().as_ref().and_then(|broken| {
        parts
            .uri
            .path()
            .contains(broken.repository)
            .then_some(broken.breakage)
    });
    match breakage {
        Some(Breakage::Down) => {
            return Response::new(Body::new(HangsUp));
        }
        Some(Breakage::Slow(delay)) => tokio::time::sleep(delay).await,
        Some(Breakage::Status(status)) => {
            return StatusCode::from_u16(status).unwrap().into_response();
        }
        Some(Breakage::Page) => {
            return axum::response::Html("<html><body>Back soon!</body></html>").into_response();
        }
        Some(Breakage::Cut(_)) | None => {}
    }
    let held = || StatusCode::SERVICE_UNAVAILABLE.into_response();
    if let Some(gate) = &gate
        && gate.hold == Hold::Before
        && gate.hold().await == Fate::Fail
    {
        return held();
    }
    let said = site.run_backend(&parts, body).await;
    if let Some(gate) = &gate
        && gate.hold == Hold::After
        && gate.hold().await == Fate::Fail
    {
        return held();
    }
    match said {
        Ok(mut said) => {
            if let Some(Breakage::Cut(length)) = breakage {
                let head = said.windows(4).position(|bytes| bytes == b"\r\n\r\n");
                said.truncate(head.unwrap_or_default() + 4 + length);
            }
            site.traffic
                .bytes_sent
                .fetch_add(said.len(), Ordering::SeqCst);
            response(&said)
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

impl Site {
    fn admits(&self, sent: &str) -> bool {
        let token = sent
            .strip_prefix("Basic ")
            .and_then(|pair| STANDARD.decode(pair).ok())
            .and_then(|pair| String::from_utf8(pair).ok())
            .and_then(|pair| pair.strip_prefix("x-access-token:").map(str::to_owned));
        let judge = self.others.lock().unwrap().clone();
        matches!((token, judge), (Some(token), Some(judge)) if judge(&token))
    }

    fn count(&self, parts: &Parts, body: &Bytes) {
        let path = parts.uri.path();
        self.traffic.requests.fetch_add(1, Ordering::SeqCst);
        self.traffic
            .bytes_received
            .fetch_add(body.len(), Ordering::SeqCst);
        if parts.method == Method::POST && path.ends_with("/git-upload-pack") {
            self.traffic.fetches.fetch_add(1, Ordering::SeqCst);
        } else if parts.method == Method::POST && path.ends_with("/git-receive-pack") {
            self.traffic.pushes.fetch_add(1, Ordering::SeqCst);
            if moves_branch(body) {
                self.traffic.branch_pushes.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Runs the CGI program of git for one request; returns all that it said.
    async fn run_backend(&self, parts: &Parts, body: Bytes) -> std::io::Result<Vec<u8>> {
        let text = |name: &str| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let mut child = Command::new("git")
            .arg("http-backend")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.root)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REQUEST_METHOD", parts.method.as_str())
            .env("PATH_INFO", parts.uri.path())
            .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
            .env("CONTENT_TYPE", text("content-type"))
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", text("content-encoding"))
            .env("GIT_PROTOCOL", text("git-protocol"))
            .env("REMOTE_USER", "writer")
            .env("REMOTE_ADDR", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take();
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // It may end before it has read everything: that is its answer.
                let _ = stdin.write_all(&body).await;
            }
        };
        let ((), output) = tokio::join!(feed, child.wait_with_output());
        Ok(output?.stdout)
    }
}

/// Whether a push names a branch. Its commands come first, then the pack.
fn moves_branch(push: &[u8]) -> bool {
    let find = |text: &[u8], words: &[u8]| text.windows(words.len()).position(|at| at == words);
    let commands = &push[..find(push, b"PACK").unwrap_or(push.len())];
    find(commands, b" refs/heads/").is_some()
}

/// Takes a CGI answer apart: headers with the status among them, an empty line, the body.
fn response(said: &[u8]) -> Response {
    let end = said.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let Some(end) = end else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&said[..end]).lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => {
                let code = status
                    .split(' ')
                    .next()
                    .and_then(|code| code.parse::<u16>().ok());
                response = response.status(code.unwrap_or(500));
            }
            Some((name, value)) => response = response.header(name, value),
            None => {}
        }
    }
    response.body(Body::from(said[end + 4..].to_vec())).unwrap()
}
