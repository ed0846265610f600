//! Starting the `git` command: the one place of this room that starts a process.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::error::GitError;
use super::remote::{Remote, strip_credentials};
use super::ssh;

/// How long `git` may say nothing. Transfers are asked to show their progress, so silence means
/// that nothing moves, over http, ssh and on disk alike.
pub(super) const SILENCE_LIMIT: Duration = Duration::from_secs(120);
/// How long a terminated `git` may take to clean up, and an ended one's children to fall silent.
const GRACE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);

/// What ties `git` to a repository other than the one it is pointed at.
const REPOSITORY_VARIABLES: [&str; 13] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_GRAFT_FILE",
    "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_IMPLICIT_WORK_TREE",
];

/// What dayfly itself is told by the environment and no hook has to know.
const SECRETS: [&str; 4] = [
    "DAYFLY_TOKEN",
    "DAYFLY_APP_KEY",
    "DAYFLY_SSH_KEY",
    "DAYFLY_SIGNING_KEY",
];

/// One call of `git`. Arguments are passed as they are: there is no shell.
pub(super) struct Call<'a> {
    doing: String,
    command: Command,
    remote: Option<&'a Remote>,
    silence_limit: Duration,
}

/// How `git` ended and what it said; `stderr` holds no credential.
pub(super) struct Answer {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl<'a> Call<'a> {
    /// `doing` completes "cannot …" in an error.
    pub(super) fn new(doing: impl Into<String>) -> Self {
        Self::of_program("git", doing)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of this room that starts git"
    )]
    pub(super) fn of_program(program: &str, doing: impl Into<String>) -> Self {
        let mut command = Command::new(program);
        command
            // Not in a repository, so that none's configuration is read unasked.
            .current_dir("/")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            // Answers are told apart by their English words.
            .env("LC_ALL", "C")
            .env_remove("LANGUAGE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in REPOSITORY_VARIABLES.iter().chain(&SECRETS) {
            command.env_remove(name);
        }
        Self {
            doing: doing.into(),
            command,
            remote: None,
            silence_limit: SILENCE_LIMIT,
        }
    }

    pub(super) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(super) fn directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// The call talks to `remote`: it gets the remote's secret, and what it says is cleaned of it.
    pub(super) fn remote(mut self, remote: &'a Remote) -> Self {
        let first = inherited_settings();
        let settings = remote.settings();
        self.command
            .env("GIT_CONFIG_COUNT", (first + settings.len()).to_string());
        for (number, (key, value)) in (first..).zip(settings) {
            self.command.env(format!("GIT_CONFIG_KEY_{number}"), key);
            self.command
                .env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        if remote.is_ssh()
            && let Some(command) = ssh::command(remote.ssh_key())
        {
            self.command
                .env("GIT_SSH_COMMAND", command)
                .env("GIT_SSH_VARIANT", "ssh");
        }
        if remote.has_secret() {
            self.command.env("GIT_ASKPASS", "");
        }
        self.remote = Some(remote);
        self
    }

    /// Waits for the end. An error means that `git` did not start or fell silent; that it failed
    /// is in the answer.
    pub(super) fn run(mut self) -> Result<Answer, GitError> {
        let child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.misses_directory() => {
                return Err(GitError::Missing { doing: self.doing });
            }
            Err(source) => {
                return Err(GitError::Start {
                    doing: self.doing,
                    source,
                });
            }
        };
        match listen(child, self.silence_limit) {
            Ok(Some((status, stdout, stderr))) => {
                let said = String::from_utf8_lossy(&stderr);
                let stderr = match self.remote {
                    Some(remote) => remote.redact(&said),
                    None => strip_credentials(&said),
                };
                Ok(Answer {
                    success: status.success(),
                    stdout,
                    stderr,
                })
            }
            Ok(None) => Err(GitError::TimedOut {
                doing: self.doing,
                seconds: self.silence_limit.as_secs(),
            }),
            Err(source) => Err(GitError::Start {
                doing: self.doing,
                source,
            }),
        }
    }

    /// Starting fails alike for a missing program and a missing directory.
    fn misses_directory(&self) -> bool {
        self.command
            .get_current_dir()
            .is_some_and(|directory| !directory.is_dir())
    }
}

/// How many settings the caller's environment already gives `git`; ours follow them.
#[expect(
    clippy::disallowed_methods,
    reason = "completes git's own list for the child process"
)]
fn inherited_settings() -> usize {
    std::env::var("GIT_CONFIG_COUNT")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(0)
}

/// Whether the caller's environment tells `git` how servers are to be reached, or wants to be told
/// what it does.
#[expect(clippy::disallowed_methods, reason = "git's own variables")]
pub(super) fn is_told_how_to_connect(is_encrypted: bool) -> bool {
    const PROXIES: [&str; 3] = ["http_proxy", "https_proxy", "all_proxy"];
    const PREFIXES: [&str; 5] = [
        "GIT_ALLOW_",
        "GIT_CURL_",
        "GIT_HTTP_",
        "GIT_PROXY_",
        "GIT_TRACE",
    ];
    std::env::vars_os().any(|(name, value)| {
        let name = name.to_string_lossy();
        let is_meant = PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy))
            || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || is_encrypted && name.starts_with("GIT_SSL_");
        is_meant && !value.is_empty()
    })
}

/// How a child ended, its stdout and its stderr.
type Ended = (ExitStatus, Vec<u8>, Vec<u8>);

enum Said {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
}

/// Collects what the child says until it ends; `None` if it was stopped for its silence.
fn listen(mut child: Child, silence_limit: Duration) -> io::Result<Option<Ended>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, sender.clone(), Said::Stdout);
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, sender, Said::Stderr);
    }
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut heard = Instant::now();
    let mut ended = None;
    loop {
        match receiver.recv_timeout(POLL) {
            Ok(said) => {
                heard = Instant::now();
                match said {
                    Said::Stdout(bytes) => stdout.extend(bytes),
                    Said::Stderr(bytes) => stderr.extend(bytes),
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            // A process that a hook left behind may hold the pipes open: it is not waited for.
            Err(RecvTimeoutError::Timeout) => match ended {
                Some(since) if Instant::elapsed(&since) > GRACE => break,
                Some(_) => {}
                None if child.try_wait()?.is_some() => ended = Some(Instant::now()),
                None if heard.elapsed() > silence_limit => {
                    stop(&mut child)?;
                    return Ok(None);
                }
                None => {}
            },
        }
    }
    Ok(Some((child.wait()?, stdout, stderr)))
}

fn forward(mut pipe: impl Read + Send + 'static, to: Sender<Said>, wrap: fn(Vec<u8>) -> Said) {
    thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if to.send(wrap(buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
}

/// Terminates, so that `git` can remove its lock files, and kills what does not go.
fn stop(child: &mut Child) -> io::Result<()> {
    if let Some(id) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        // It may have ended by itself at this moment: then there is nothing to stop.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
    let asked = Instant::now();
    while asked.elapsed() < GRACE {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        thread::sleep(POLL);
    }
    child.kill()?;
    child.wait().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_told_from_a_missing_directory() {
        let missing = Call::of_program("no-such-git", "try").run();
        assert!(matches!(missing, Err(GitError::Missing { .. })));
        let elsewhere = Call::new("try")
            .directory(Path::new("/no/such/directory"))
            .run();
        assert!(matches!(elsewhere, Err(GitError::Start { .. })));
    }

    #[test]
    fn silence_ends_a_call() {
        let mut call = Call::of_program("sleep", "wait for nothing").args(["60"]);
        call.silence_limit = Duration::from_millis(100);
        let began = Instant::now();
        assert!(matches!(call.run(), Err(GitError::TimedOut { .. })));
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn progress_keeps_a_call_alive() {
        let script = "for i in 1 2 3 4 5 6; do echo $i >&2; sleep 0.2; done; echo done";
        let mut call = Call::of_program("sh", "count").args(["-c", script]);
        call.silence_limit = Duration::from_millis(700);
        let answer = call.run().unwrap();
        assert!(answer.success);
        assert_eq!(answer.stdout, b"done\n");
        assert_eq!(answer.stderr, "1\n2\n3\n4\n5\n6\n");
    }

    #[test]
    fn what_a_hook_leaves_running_is_not_waited_for() {
        let began = Instant::now();
        let answer = Call::of_program("sh", "leave")
            .args(["-c", "sleep 30 & echo x"])
            .run()
            .unwrap();
        assert_eq!(answer.stdout, b"x\n");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
