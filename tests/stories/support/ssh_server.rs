//! An SSH server on the loopback, and the keys of those who come: OpenSSH's own programs.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::World;

/// Lets the holder of one key do as the user who runs the tests, until it is dropped.
pub(crate) struct SshServer {
    directory: PathBuf,
    user: String,
    port: u16,
    child: Child,
}

impl SshServer {
    /// Starts it in `world`, whose `ssh` then knows it as the host `previews`. The key that opens
    /// it is `ssh/key`.
    pub(crate) fn start(world: &World) -> Self {
        let directory = world.path("ssh");
        fs::create_dir(&directory).unwrap();
        for name in ["host", "key", "stranger"] {
            generate_key(&directory.join(name), "");
        }
        fs::copy(directory.join("key.pub"), directory.join("authorized_keys")).unwrap();
        let user = stdout(Command::new("id").arg("-un"));
        let (child, port) = serve(&directory);
        let server = Self {
            directory,
            user,
            port,
            child,
        };
        server.write_client(world);
        server
    }

    /// The real client reads its files in the home that the machine has for the user: here it is
    /// shown those of the world.
    fn write_client(&self, world: &World) {
        let Self {
            directory,
            user,
            port,
            ..
        } = self;
        let at = directory.display();
        let host_key = fs::read_to_string(directory.join("host.pub")).unwrap();
        let known = format!("[127.0.0.1]:{port} {host_key}");
        fs::write(directory.join("known_hosts"), known).unwrap();
        let settings = format!(
            "Host previews\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n\
             Host *\n  UserKnownHostsFile {at}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
        );
        fs::write(directory.join("config"), settings).unwrap();
        let script = format!("#!/bin/sh\nexec /usr/bin/ssh -F {at}/config \"$@\"\n");
        world.program("ssh", &script);
    }

    /// The URL of a path on the server's machine.
    pub(crate) fn url(&self, path: &Path) -> String {
        let Self { user, port, .. } = self;
        format!("ssh://{user}@127.0.0.1:{port}{}", path.display())
    }

    /// A file of the server's directory: `key`, `stranger`, `known_hosts`.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the server on a port that is free.
fn serve(directory: &Path) -> (Child, u16) {
    let sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"]
        .into_iter()
        .find(|path| Path::new(path).is_file())
        .expect("sshd is needed: run scripts/tools sshd");
    let at = directory.display();
    for _ in 0..20 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let settings = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {at}/host\nPidFile none\n\
             AuthorizedKeysFile {at}/authorized_keys\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             MaxStartups 100\n"
        );
        let file = directory.join("sshd_config");
        fs::write(&file, settings).unwrap();
        let mut child = Command::new(sshd)
            .args(["-D", "-e", "-f"])
            .arg(&file)
            .stderr(fs::File::create(directory.join("log")).unwrap())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return (child, port);
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
    panic!("sshd does not start: {log}");
}

/// Makes `path` and `path.pub`.
pub(crate) fn generate_key(path: &Path, passphrase: &str) {
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-q", "-t", "ed25519", "-C", "", "-N", passphrase, "-f"])
        .arg(path);
    assert!(command.status().unwrap().success());
}

/// An agent that holds one key, until it is dropped.
pub(crate) struct SshAgent {
    child: Child,
    pub(crate) socket: String,
}

impl SshAgent {
    pub(crate) fn with_key(world: &World, key: &str) -> Self {
        let socket = world.path("agent").to_str().unwrap().to_owned();
        let child = Command::new("ssh-agent")
            .args(["-D", "-a", &socket])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self { child, socket };
        let deadline = Instant::now() + Duration::from_secs(20);
        let add = || {
            let mut add = Command::new("ssh-add");
            add.args(["-q", key])
                .env("SSH_AUTH_SOCK", &agent.socket)
                .stderr(Stdio::null());
            add.status().unwrap().success()
        };
        while !add() {
            assert!(Instant::now() < deadline, "the agent does not answer");
            thread::sleep(Duration::from_millis(20));
        }
        agent
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn stdout(command: &mut Command) -> String {
    let said = command.output().unwrap().stdout;
    String::from_utf8(said).unwrap().trim().to_owned()
}
