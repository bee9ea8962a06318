//! Tests of tunnels through scripted proxies.

mod answers;

use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;
use crate::problem::Remedy;

const TARGET: &str = "a1-ats.iot.us-east-2.amazonaws.com";

/// A proxy that accepts connections, and its client.
struct Script {
    listener: TcpListener,
    tunnels: ProxyTunnels,
    folder: TempDir,
}

impl Script {
    /// Creates a proxy without authentication, or with this user and the content of the password's file.
    async fn new(user: Option<(&str, &str)>) -> Self {
        // A closed port of it must not be another test's.
        let listener = TcpListener::bind((rig::port::unshared_address(), 0)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let secret_file = folder.path().join("password");
        if let Some((_, password)) = user {
            std::fs::write(&secret_file, password).unwrap();
        }
        let address = listener.local_addr().unwrap();
        let settings = config::Proxy {
            address: config::ProxyAddress {
                host: address.ip().to_string(),
                port: address.port(),
            },
            user: user.map(|(name, _)| name.to_owned()),
            secret_file: Some(secret_file),
            no_proxy: Vec::new(),
        };
        Self {
            tunnels: ProxyTunnels::new(&settings, None),
            listener,
            folder,
        }
    }

    /// Accepts a connection and reads the request.
    async fn accept(&self) -> (String, TcpStream) {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        (String::from_utf8(head).unwrap(), stream)
    }

    /// Opens a tunnel while the proxy answers with these bytes, and then closes the connection.
    async fn open(&self, answer: &[u8]) -> (Result<TcpStream, Problem>, String) {
        let serving = async {
            let (head, mut stream) = self.accept().await;
            // The client may have closed the connection before it has read everything.
            let _ = stream.write_all(answer).await;
            head
        };
        tokio::join!(self.tunnels.open(TARGET, 8883), serving)
    }
}

#[tokio::test]
async fn a_tunnel_carries_the_bytes_of_both_sides_and_nothing_else() {
    for (user, authorization) in [
        (None, ""),
        (
            Some(("gw", "hunter2")),
            "Proxy-Authorization: Basic Z3c6aHVudGVyMg==\r\n",
        ),
        (
            Some(("gw", "hunter2\n")),
            "Proxy-Authorization: Basic Z3c6aHVudGVyMg==\r\n",
        ),
        (Some(("gw", "a:b c")), "Proxy-Authorization: Basic Z3c6YTpiIGM=\r\n"),
    ] {
        let proxy = Script::new(user).await;
        let serving = async {
            let (head, mut stream) = proxy.accept().await;
            stream
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await
                .unwrap();
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            head
        };
        let using = async {
            let mut tunnel = proxy.tunnels.open(TARGET, 8883).await.unwrap();
            tunnel.write_all(b"hello").await.unwrap();
            let mut bytes = [0; 5];
            tunnel.read_exact(&mut bytes).await.unwrap();
            bytes
        };
        let (head, echoed) = tokio::join!(serving, using);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            head,
            format!(
                "CONNECT {TARGET}:8883 HTTP/1.1\r\nHost: {TARGET}:8883\r\nUser-Agent: gatepost/{version}\r\n{authorization}\r\n"
            )
        );
        assert_eq!(&echoed, b"hello");
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_resets_or_is_not_there_is_named() {
    let proxy = Script::new(None).await;
    let hanging = async {
        let connection = proxy.accept().await;
        // From now on, time passes as soon as nothing else happens.
        tokio::time::pause();
        connection
    };
    let (outcome, _connection) = tokio::join!(proxy.tunnels.open(TARGET, 443), hanging);
    let problem = outcome.unwrap_err();
    assert!(
        problem
            .message
            .contains("did not answer CONNECT a1-ats.iot.us-east-2.amazonaws.com:443 in 60 s"),
        "{problem}"
    );
    tokio::time::resume();
    let resetting = async {
        let (_, stream) = proxy.accept().await;
        stream.set_zero_linger().unwrap();
    };
    let (outcome, ()) = tokio::join!(proxy.tunnels.open(TARGET, 443), resetting);
    let problem = outcome.unwrap_err();
    assert!(problem.message.contains("broke before it answered"), "{problem}");
    let Script { listener, tunnels, .. } = proxy;
    drop(listener);
    let problem = tunnels.open(TARGET, 443).await.unwrap_err();
    assert!(
        problem.message.contains("cannot be reached: Connection refused"),
        "{problem}"
    );
    assert_eq!(problem.remedy, Remedy::Wait);
}

#[tokio::test]
async fn a_password_that_cannot_be_read_is_named_before_the_proxy_is_asked() {
    for password in ["", "hunter2\nmore\n", "hunter2\0"] {
        let proxy = Script::new(Some(("gw", password))).await;
        let problem = proxy.tunnels.open(TARGET, 443).await.unwrap_err();
        assert!(problem.message.contains("the password for the proxy") && !problem.message.contains("hunter2"));
        assert!(problem.next_step.unwrap().contains("network.proxy-secret-file"));
    }
    let proxy = Script::new(Some(("gw", "first"))).await;
    let path = proxy.folder.path().join("password");
    std::fs::write(&path, "second").unwrap();
    let (_, head) = proxy.open(b"").await;
    assert!(head.contains("Z3c6c2Vjb25k"), "the password of now: {head}");
    std::fs::remove_file(&path).unwrap();
    assert!(
        proxy
            .tunnels
            .open(TARGET, 443)
            .await
            .unwrap_err()
            .message
            .contains("cannot be read")
    );
}
