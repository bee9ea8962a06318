//! The MQTT listeners, off unless configured: the Unix socket, where the kernel identifies the program, and a loopback address, where the
//! password in CONNECT identifies it.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use log::Level;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::connections::{ConnectionSlot, Connections};
use super::server::{Listener, accept_connections};
use super::unix::{complete_peer, identify_peer, look_up_early};
use crate::event::{Event, journal};
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::limits::Origin;
use crate::local::loopback::bind;
use crate::local::mqtt::{Identity, serve};
use crate::problem::Problem;

/// Time between two attempts to bind.
const BIND_INTERVAL: Duration = Duration::from_secs(10);

/// The next step if a listener cannot be bound.
const BIND_STEP: &str = "end the program that has it (ss -xlp, ss -tlnp), or change [local-mqtt]";
/// How long a connection may be silent before its CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the path of the Unix socket in the folder `runtime`.
pub fn mqtt_socket_path(runtime: &Path) -> PathBuf {
    runtime.join("mqtt.sock")
}

/// Listens as configured, for as long as the daemon runs.
pub async fn listen_for_mqtt(context: Rc<ApiContext>, connections: Connections) {
    let path = context.mqtt.socket_path().to_owned();
    let mut configured = context.mqtt.watch();
    loop {
        let config = *configured.borrow_and_update();
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
        context.mqtt.forget_listeners();
        if config.socket {
            let _ = fs::remove_file(&path);
        }
    }
}

async fn listen_on_socket(context: Rc<ApiContext>, connections: Connections, path: PathBuf) {
    let shown = path.display().to_string();
    let listener = bind_patiently(&context, &shown, || {
        let path = path.clone();
        async move { bind_unix(&path).map_err(|error| error.to_string()) }
    });
    let listener = listener.await;
    accept_connections(Rc::new(MqttSocket { listener, context }), connections).await;
}

async fn listen_on_address(context: Rc<ApiContext>, connections: Connections, address: SocketAddr) {
    context.mqtt.tokens.read(&context.access).await;
    let bind_once = || async {
        let listener = match context
            .mqtt
            .take_inherited()
            .filter(|socket| socket.local_addr().ok() == Some(address))
        {
            Some(socket) => socket,
            None => {
                let bound = spawn_blocking(move || bind(address)).await;
                bound.unwrap_or_else(|error| Err(error.to_string()))?
            }
        };
        listener
            .set_nonblocking(true)
            .and_then(|()| TcpListener::from_std(listener))
            .map_err(|error| error.to_string())
    };
    let listener = bind_patiently(&context, &address.to_string(), bind_once).await;
    accept_connections(Rc::new(MqttAddress { listener, context }), connections).await;
}

/// Binds, and tries again for as long as that fails.
async fn bind_patiently<T, F: Future<Output = Result<T, String>>>(
    context: &ApiContext,
    shown: &str,
    bind: impl Fn() -> F,
) -> T {
    let mut is_failing = false;
    loop {
        match bind().await {
            Ok(listener) => {
                journal!(Level::Info, Event::MqttListening; "local-mqtt: listens at {shown}");
                context.mqtt.report_listener(shown, None);
                return listener;
            }
            Err(reason) => {
                let problem = Problem::configuration(format!("MQTT programs cannot connect at {shown}: {reason}"));
                let problem = problem.next(BIND_STEP).about(Event::MqttNotListening);
                if !std::mem::replace(&mut is_failing, true) {
                    journal!(
                        Level::Error, Event::MqttNotListening;
                        "local-mqtt: cannot listen at {shown}, and tries again: {reason}; next: {BIND_STEP}"
                    );
                }
                context.mqtt.report_listener(shown, Some(problem));
                sleep(BIND_INTERVAL).await;
            }
        }
    }
}

/// Binds the Unix socket, replacing one that an earlier run left behind. The instance lock is held, so no other run is using it.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // Every user may connect: the access rules decide, so that a program without permission gets an explanation.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    Ok(listener)
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

    async fn serve_connection(listener: Rc<Self>, stream: UnixStream, mut caller: Caller, slot: ConnectionSlot) {
        // Nothing is spent on a connection before it has sent something.
        let is_readable = tokio::select! {
            readable = timeout(CONNECT_TIMEOUT, stream.readable()) => matches!(readable, Ok(Ok(()))),
            () = slot.connection.evicted() => false,
            () = slot.shutdown() => false,
        };
        if !is_readable {
            return;
        }
        let origin = complete_peer(&listener.context, &stream, &mut caller);
        if slot.move_to(origin).is_err() {
            return log::debug!("{}: no connection slot for {caller}: all are busy", Self::NAME);
        }
        serve(listener.context.clone(), stream, Identity::Peer(caller), slot).await;
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
        Ok(Some((Origin::Unproven, PeerAddress(stream.peer_addr()?))))
    }

    async fn serve_connection(listener: Rc<Self>, stream: TcpStream, peer: PeerAddress, slot: ConnectionSlot) {
        serve(listener.context.clone(), stream, Identity::Password(peer.0), slot).await;
    }
}
