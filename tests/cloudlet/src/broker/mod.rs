//! The broker behind the front: a mosquitto process, which keeps the sessions.

mod connect;
mod process;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::Error;
use crate::events::{Event, Events};
pub(crate) use connect::connect;
use process::Mosquitto;

/// An order to the broker's thread.
enum Order {
    Start,
    Kill,
    Wipe,
}

type Reply = mpsc::Sender<Result<(), Error>>;

/// The broker, which a test can kill and start. Dropping it ends mosquitto.
#[derive(Debug)]
pub struct Broker {
    orders: Mutex<Option<mpsc::Sender<(Order, Reply)>>>,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
    events: Events,
}

impl Broker {
    /// Starts mosquitto with its database in `folder` and its socket in `runtime_folder`.
    ///
    /// The same thread starts mosquitto and waits for it: the kernel's parent-death signal, which ends mosquitto if this process is killed,
    /// is tied to the thread that forked.
    pub(crate) fn start_in(
        folder: &Path,
        runtime_folder: &Path,
        saves_seldom: bool,
        events: &Events,
    ) -> Result<Self, Error> {
        let mut mosquitto = Mosquitto::prepare(folder, runtime_folder, saves_seldom)?;
        let socket = mosquitto.socket().to_owned();
        let (orders, inbox) = mpsc::channel::<(Order, Reply)>();
        let thread = std::thread::Builder::new()
            .name("cloudlet-broker".to_owned())
            .spawn(move || {
                while let Ok((order, reply)) = inbox.recv() {
                    let result = match order {
                        Order::Start => mosquitto.start(),
                        Order::Kill => mosquitto.kill(),
                        Order::Wipe => mosquitto.wipe_database(),
                    };
                    // The caller may have stopped waiting for the answer.
                    let _ = reply.send(result);
                }
            })
            .map_err(Error::io("starting the broker's thread"))?;
        let broker = Self {
            orders: Mutex::new(Some(orders)),
            thread: Some(thread),
            socket,
            events: events.clone(),
        };
        broker.start()?;
        Ok(broker)
    }

    /// Starts mosquitto unless it is running. Returns once it accepts connections.
    pub fn start(&self) -> Result<(), Error> {
        self.order(Order::Start, "started")
    }

    /// Kills mosquitto as `kill -9` does. Returns once it has ended.
    pub fn kill(&self) -> Result<(), Error> {
        self.order(Order::Kill, "killed")
    }

    /// Deletes all sessions, queued and retained messages. A running broker is killed and restarted.
    pub fn wipe_database(&self) -> Result<(), Error> {
        self.order(Order::Wipe, "wiped")
    }

    /// The socket of mosquitto, for a publisher that needs no certificate.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    fn order(&self, order: Order, what: &'static str) -> Result<(), Error> {
        let gone = || Error::Broker("its thread is gone".to_owned());
        let (reply, answer) = mpsc::channel();
        self.orders
            .lock()
            .as_ref()
            .ok_or_else(gone)?
            .send((order, reply))
            .map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())??;
        self.events.push(Event::Broker { what });
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.orders.lock().take();
        if let Some(thread) = self.thread.take() {
            // It can only fail by a panic, which has been reported already.
            let _ = thread.join();
        }
    }
}
