//! The MQTT listeners, off unless configured: the Unix socket, where the kernel identifies the program, and a loopback address, where the
//! password in CONNECT identifies it.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use log::Level;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::{JoinSet, spawn_local};
use tokio::time::timeout;

use super::connections::{ConnectionSlot, Connections};
use super::server::{Listener, accept_connections};
use super::socket_file::{replace_socket_file, socket_step};
use super::unix::{complete_peer, identify_peer, look_up_early};
use crate::event::{Event, journal};
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::limits::Origin;
use crate::local::mqtt::{Identity, serve};
use crate::problem::Problem;
use crate::retry::RetryTarget;

/// Time between two attempts to bind.
const BIND_INTERVAL: Duration = Duration::from_secs(10);
/// How long a connection may be silent before its CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the path of the Unix socket in the folder `runtime`.
pub fn mqtt_socket_path(runtime: &Path) -> PathBuf {
    runtime.join("mqtt.sock")
}

/// Listens as configured, for as long as the daemon runs.
pub async fn listen_for_mqtt(context: Rc<ApiContext>, connections: Connections) {
    let path = context.mqtt.status.socket_path().to_owned();
    let mut configured = context.mqtt.watch();
    loop {
        let config = *configured.borrow_and_update();
        context.mqtt.socket.release_unless(config.listen);
        let mut listening = JoinSet::new();
        if config.socket {
            listening.spawn_local(listen_on_socket(context.clone(), connections.clone(), path.clone()));
        }
        if let Some(address) = config.listen {
            listening.spawn_local(listen_on_address(context.clone(), connections.clone(), address));
        }
        if configured.changed().await.is_err() {
            return;
        }
        listening.shutdown().await;
        if config.socket {
            let _ = fs::remove_file(&path);
        }
    }
}

async fn listen_on_socket(context: Rc<ApiContext>, connections: Connections, path: PathBuf) {
    let shown = path.display().to_string();
    let bind = async || {
        let listener = replace_socket_file(&path).and_then(UnixListener::from_std);
        listener.map_err(|error| (error.to_string(), socket_step(&path, &error)))
    };
    let listener = bind_with_retries(&context, &shown, bind).await;
    let accepting = context.accepting.clone();
    accept_connections(Rc::new(MqttSocket { listener, context }), connections, accepting).await;
}

async fn listen_on_address(context: Rc<ApiContext>, connections: Connections, address: SocketAddr) {
    context.mqtt.read_tokens(&context.access).await;
    let bind = async || {
        let acquired = context.mqtt.socket.acquire(address).await;
        acquired.map_err(|error| (error.to_string(), error.next_step("local-mqtt.listen")))
    };
    let listener = bind_with_retries(&context, &address.to_string(), bind).await;
    let listener = Rc::new(MqttAddress {
        listener,
        context: context.clone(),
    });
    let reading = async {
        let mut retry = context.retries.listen(RetryTarget::Listeners);
        loop {
            retry.requested().await;
            context.mqtt.read_tokens(&context.access).await;
        }
    };
    tokio::select! {
        () = accept_connections(listener, connections, context.accepting.clone()) => {}
        () = reading => {}
    }
}

/// Binds, and tries again after each failure, at intervals or when an operator requests it. The error of `bind` is the reason and the next step.
async fn bind_with_retries<T>(
    context: &ApiContext,
    shown: &str,
    bind: impl AsyncFn() -> Result<T, (String, String)>,
) -> T {
    let mut retry = context.retries.listen(RetryTarget::Listeners);
    loop {
        match bind().await {
            Ok(listener) => {
                journal!(Level::Info, Event::MqttListening; "local-mqtt: listens at {shown}");
                context.mqtt.status.report_place(shown, None);
                return listener;
            }
            Err((reason, step)) => {
                let problem = Problem::configuration(format!("MQTT programs cannot connect at {shown}: {reason}"));
                context.mqtt.status.report_place(shown, Some(problem.next(step)));
                retry.wait(BIND_INTERVAL).await;
            }
        }
    }
}

/// The listener on the Unix socket.
struct MqttSocket {
    listener: UnixListener,
    context: Rc<ApiContext>,
}

impl Listener for MqttSocket {
    const NAME: &'static str = "mqtt-socket";
    type Stream = UnixStream;
    type Peer = Caller;

    async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn identify(&self, stream: &UnixStream) -> io::Result<Option<(Origin, Caller)>> {
        let (origin, peer) = identify_peer(&self.context, stream)?;
        if !self.context.rate_limiter.admits_connection(&origin) {
            return Ok(None);
        }
        Ok(Some((origin, look_up_early(&self.context, stream, peer))))
    }

    async fn reject(listener: Rc<Self>, stream: UnixStream) {
        listener.context.mqtt.refuse(stream).await;
    }

    async fn serve_connection(listener: Rc<Self>, stream: UnixStream, mut caller: Caller, slot: ConnectionSlot) {
        // Nothing is spent on a connection before it has sent something.
        let is_readable = tokio::select! {
            readable = timeout(CONNECT_TIMEOUT, stream.readable()) => matches!(readable, Ok(Ok(()))),
            _ = slot.connection.ending() => false,
        };
        if !is_readable {
            return;
        }
        let origin = complete_peer(&listener.context, &stream, &mut caller);
        if slot.move_to(origin).is_err() {
            log::debug!("{}: no connection slot for {caller}: all are busy", Self::NAME);
            return listener.context.mqtt.refuse(stream).await;
        }
        // In a task of its own, which is smaller than one that also has room for the wait above.
        spawn_local(serve(listener.context.clone(), stream, Identity::Peer(caller), slot));
    }
}

/// The listener on a loopback address.
struct MqttAddress {
    listener: TcpListener,
    context: Rc<ApiContext>,
}

/// The address of a peer.
#[derive(Debug)]
struct PeerAddress(SocketAddr);

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Listener for MqttAddress {
    const NAME: &'static str = "mqtt";
    type Stream = TcpStream;
    type Peer = PeerAddress;

    async fn accept(&self) -> io::Result<TcpStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    fn identify(&self, stream: &TcpStream) -> io::Result<Option<(Origin, PeerAddress)>> {
        stream.set_nodelay(true)?;
        Ok(Some((Origin::WithoutToken, PeerAddress(stream.peer_addr()?))))
    }

    async fn reject(listener: Rc<Self>, stream: TcpStream) {
        listener.context.mqtt.refuse(stream).await;
    }

    async fn serve_connection(listener: Rc<Self>, stream: TcpStream, peer: PeerAddress, slot: ConnectionSlot) {
        serve(listener.context.clone(), stream, Identity::Password(peer.0), slot).await;
    }
}
