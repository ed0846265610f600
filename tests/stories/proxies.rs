//! The way to the manager repository as git has it: proxies and limits of the user's.

use std::io::copy;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{Output, Scene};

/// A proxy on the loopback that passes all on to one server and counts who comes.
struct Proxy {
    url: String,
    count: Arc<AtomicUsize>,
}

impl Proxy {
    fn to(server: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let (counted, server) = (count.clone(), server.to_owned());
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (client, server) = (stream.unwrap(), TcpStream::connect(&server).unwrap());
                counted.fetch_add(1, Ordering::SeqCst);
                pass(client.try_clone().unwrap(), server.try_clone().unwrap());
                pass(server, client);
            }
        });
        Self { url, count }
    }

    fn take(&self) -> usize {
        self.count.swap(0, Ordering::SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[test]
fn a_users_proxy_is_used() {
    let scene = Scene::new();
    let url = scene.world.server.url("");
    let server = url.trim_start_matches("http://").trim_end_matches('/');
    let proxy = Proxy::to(server);
    // A host that only the proxy can reach.
    let manager = "http://previews.invalid/acme/previews.git";
    let list = |variables: &[(&str, &str)]| -> Output {
        let arguments = ["env", "list", "--manager", manager];
        scene.world.dayfly_with(variables, &arguments)
    };
    list(&[]).exited(5);
    list(&[("http_proxy", &proxy.url)]).succeeded();
    assert_ne!(proxy.take(), 0);
    let configured = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "http.proxy"),
        ("GIT_CONFIG_VALUE_0", proxy.url.as_str()),
    ];
    list(&configured).succeeded();
    assert_ne!(proxy.take(), 0);
    // As a person sets it for good.
    let own = format!("[http]\n\tproxy = {}\n", proxy.url);
    std::fs::write(scene.world.path("home/.gitconfig"), own).unwrap();
    list(&[]).succeeded();
    assert_ne!(proxy.take(), 0);
    list(&[("no_proxy", "previews.invalid")]).exited(5);
    assert_eq!(proxy.take(), 0);
}

#[test]
fn a_users_limit_ends_a_server_that_stalls() {
    let scene = Scene::new();
    // It takes the call and never answers.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let manager = format!("http://{}/m.git", listener.local_addr().unwrap());
    let own = "[http]\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 1\n";
    std::fs::write(scene.world.path("home/.gitconfig"), own).unwrap();
    let said = scene
        .world
        .dayfly(&["env", "list", "--manager", &manager])
        .exited(5)
        .stderr;
    assert!(said.contains("too slow"), "{said}");
}
