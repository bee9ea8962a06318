//! The server: one thread, one runtime, a task for each connection.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::authentication::{ClientCertificate, Users};
use crate::ca::{Cas, ders};
use crate::error::Error;
use crate::events::{Event, Events};
use crate::options::Options;
use crate::service::{Closed, respond};
use crate::state::State;
use crate::switches::{SwitchBoard, Switches};
use crate::tls::ServerIdentity;

/// Time limit of a handshake. A TPM takes up to 600 ms for a signature, and one that a test slows down takes longer.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause after an accept error. The usual error is "too many open files", and an immediate retry would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running EST server. Dropping it ends it.
pub struct EstServer {
    state: Arc<State>,
    port: u16,
    end: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
    /// The temporary folder, which is removed when the server ends.
    _temporary: Option<TempDir>,
}

impl EstServer {
    /// Starts a server.
    ///
    /// # Errors
    /// If the CA, the folder or the port cannot be used.
    pub fn start(options: Options) -> Result<Self, Error> {
        let (folder, temporary) = match &options.dir {
            Some(folder) => (folder.clone(), None),
            None => {
                let made = tempfile::Builder::new().prefix("est-server-").tempdir();
                let made = made.map_err(Error::io("making a folder"))?;
                (made.path().to_owned(), Some(made))
            }
        };
        std::fs::create_dir_all(&folder).map_err(Error::io(format!("making {}", folder.display())))?;
        let bootstrap = match &options.bootstrap_cas {
            Some(pem) => ders(pem)?,
            None => Vec::new(),
        };
        let state = Arc::new(State {
            cas: Mutex::new(Cas::open(&options.ca, &folder)?),
            users: Users::new(options.users.clone()),
            switches: SwitchBoard::new(options.switches.clone()),
            lifetime: Mutex::new(options.lifetime),
            events: Events::new(options.observer.clone()),
            identity: ServerIdentity::open(&folder, &options.host)?,
            bootstrap,
            folder,
            options,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::io("starting a runtime"))?;
        let (address, port) = (state.options.listen, state.options.port);
        let listener = runtime
            .block_on(TcpListener::bind((address, port)))
            .map_err(Error::io(format!(
                "listening on {address} port {port} (port 0 takes a free one)"
            )))?;
        let port = listener.local_addr().map_err(Error::io("listening"))?.port();
        let (end, ended) = oneshot::channel();
        let serving = state.clone();
        let thread = std::thread::Builder::new()
            .name("est-server".to_owned())
            .spawn(move || serve(runtime, serving, listener, ended))
            .map_err(Error::io("starting a thread"))?;
        Ok(Self {
            state,
            port,
            end: Some(end),
            thread: Some(thread),
            _temporary: temporary,
        })
    }

    /// Returns the URL, with the label if there is one, and without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        let label = self.state.options.label.as_ref();
        let label = label.map_or_else(String::new, |label| format!("/{label}"));
        format!(
            "https://{}:{}/.well-known/est{label}",
            self.state.options.host, self.port
        )
    }

    /// Returns the port on which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the root of the server's own certificate in PEM, which clients must trust.
    #[must_use]
    pub fn server_ca_pem(&self) -> &str {
        self.state.identity.root_pem()
    }

    /// Returns the file with that root.
    #[must_use]
    pub fn server_ca_path(&self) -> &Path {
        self.state.identity.root_path()
    }

    /// Returns the certificates of all CAs so far in PEM, the newest first.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        let own: Vec<Vec<u8>> = self.state.cas.lock().all().map(|ca| ca.certificate.clone()).collect();
        crate::pkcs7::pem_certificates(&own)
    }

    /// Changes the switches.
    pub fn switch(&self, change: impl FnOnce(&mut Switches)) {
        self.state.switches.set(change);
    }

    /// Changes how long new certificates are valid.
    pub fn set_lifetime(&self, lifetime: Duration) {
        *self.state.lifetime.lock() = lifetime;
    }

    /// Replaces the CA by a new one. Certificates of the old one may still be renewed.
    ///
    /// # Errors
    /// If the new key and certificate cannot be written.
    pub fn roll_over(&self) -> Result<(), Error> {
        let mut cas = self.state.cas.lock();
        cas.roll_over(&self.state.folder)?;
        let common_name = cas.current().map(|ca| ca.common_name.clone()).unwrap_or_default();
        drop(cas);
        self.state.events.push(Event::RolledOver { common_name });
        Ok(())
    }

    /// Returns the events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.state.events.all()
    }

    /// Waits until `count` events satisfy `is_wanted`.
    ///
    /// # Errors
    /// If they do not occur in time.
    pub fn wait_for(&self, count: usize, patience: Duration, is_wanted: impl Fn(&Event) -> bool) -> Result<(), Error> {
        self.state.events.wait_for(count, patience, is_wanted)
    }
}

impl Drop for EstServer {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

fn serve(runtime: Runtime, state: Arc<State>, listener: TcpListener, ended: oneshot::Receiver<Infallible>) {
    runtime.block_on(async {
        tokio::select! {
            () = accept_all(&state, &listener) => {}
            _ = ended => {}
        }
    });
    runtime.shutdown_background();
}

async fn accept_all(state: &Arc<State>, listener: &TcpListener) {
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => drop(tokio::spawn(connection(state.clone(), tcp))),
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn connection(state: Arc<State>, tcp: TcpStream) {
    let reason = match timeout(HANDSHAKE_TIMEOUT, handshake(&state, tcp)).await {
        Ok(Ok(stream)) => {
            let peer = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let client = peer.and_then(|leaf| ClientCertificate::new(leaf, &state.cas.lock()));
            let client = client.map(Arc::new);
            let answer = service_fn(move |request| {
                let answered = respond(state.clone(), client.clone(), request);
                async { answered.await.map_err(|Closed| io::Error::other("closed on purpose")) }
            });
            // A broken connection is the client's problem, or intended.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            return;
        }
        Ok(Err(reason)) => reason,
        Err(_) => "timed out".to_owned(),
    };
    state.events.push(Event::TlsRefused { reason });
}

async fn handshake(state: &State, tcp: TcpStream) -> Result<tokio_rustls::server::TlsStream<TcpStream>, String> {
    // Nagle's algorithm is disabled: a request and its response are single small segments here.
    tcp.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut clients: Vec<Vec<u8>> = state.cas.lock().all().map(|ca| ca.certificate.clone()).collect();
    clients.extend(state.bootstrap.iter().cloned());
    let config = state
        .identity
        .config(&clients, state.options.require_certificate)
        .map_err(|error| error.to_string())?;
    TlsAcceptor::from(config)
        .accept(tcp)
        .await
        .map_err(|error| error.to_string())
}
