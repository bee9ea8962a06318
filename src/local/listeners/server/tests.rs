//! Tests accepting from a queue of connections that never becomes empty.

use std::cell::Cell;

use rustix::io::Errno;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::*;
use crate::clock::manual::ManualClock;
use crate::status::{AcceptingPart, AcceptingPhase, StatusHub};

/// Connections in the queue: more than arrive during a burst.
const QUEUED: usize = 50_000;

/// A listener that rejects every connection of an endless queue.
struct Flooded {
    accepted: Rc<Cell<usize>>,
}

impl Listener for Flooded {
    const NAME: &'static str = "flooded";
    type Stream = DuplexStream;
    type Peer = &'static str;

    async fn accept(&self) -> io::Result<DuplexStream> {
        if self.accepted.get() >= QUEUED {
            return std::future::pending().await;
        }
        self.accepted.set(self.accepted.get() + 1);
        Ok(duplex(1).0)
    }

    fn identify(&self, _: &DuplexStream) -> io::Result<Option<(Origin, &'static str)>> {
        Ok(None)
    }

    async fn serve_connection(_: Rc<Self>, _: DuplexStream, _: &'static str, _: ConnectionSlot) {}
}

fn accepting() -> Rc<AcceptStatus> {
    Rc::new(AcceptStatus::new(&StatusHub::new(ManualClock::at(0))))
}

/// A listener that has no descriptor left for a connection until it is given some.
struct Starved {
    descriptors: Rc<Cell<usize>>,
    waiting: Rc<Cell<usize>>,
    served: Rc<Cell<usize>>,
}

impl Listener for Starved {
    const NAME: &'static str = "starved";
    type Stream = DuplexStream;
    type Peer = &'static str;

    async fn accept(&self) -> io::Result<DuplexStream> {
        if self.waiting.get() == 0 {
            return std::future::pending().await;
        }
        if self.descriptors.get() == 0 {
            return Err(Errno::MFILE.into());
        }
        self.descriptors.set(self.descriptors.get() - 1);
        self.waiting.set(self.waiting.get() - 1);
        Ok(duplex(1).0)
    }

    fn identify(&self, _: &DuplexStream) -> io::Result<Option<(Origin, &'static str)>> {
        Ok(Some((Origin::WithoutToken, "a program")))
    }

    async fn serve_connection(listener: Rc<Self>, _: DuplexStream, _: &'static str, _: ConnectionSlot) {
        listener.served.set(listener.served.get() + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_connections_recover_from_a_lack_of_descriptors_and_the_status_tells() {
    let (descriptors, waiting, served) = (
        Rc::new(Cell::new(0)),
        Rc::new(Cell::new(1)),
        Rc::<Cell<usize>>::default(),
    );
    let listener = Starved {
        descriptors: descriptors.clone(),
        waiting: waiting.clone(),
        served: served.clone(),
    };
    let status = accepting();
    let mut part = status.part();
    let phase = async |part: &mut watch::Receiver<AcceptingPart>, wanted| {
        part.wait_for(|part| part.phase == wanted).await.unwrap();
    };
    LocalSet::new()
        .run_until(async {
            let serving = spawn_local(accept_connections(
                Rc::new(listener),
                Connections::default(),
                status.clone(),
            ));
            phase(&mut part, AcceptingPhase::Failing).await;
            assert_eq!(served.get(), 0);
            // Descriptors are there again: whoever has waited is served.
            descriptors.set(1);
            phase(&mut part, AcceptingPhase::Accepting).await;
            yield_now().await;
            assert_eq!((served.get(), waiting.get()), (1, 0));
            serving.abort();
        })
        .await;
}

#[tokio::test]
async fn promise_6_open_connections_are_served_between_bursts() {
    let accepted = Rc::new(Cell::new(0));
    let listener = Flooded {
        accepted: accepted.clone(),
    };
    let local = LocalSet::new();
    let most = local.run_until(async move {
        let serving = spawn_local(accept_connections(
            Rc::new(listener),
            Connections::default(),
            accepting(),
        ));
        let mut most = 0;
        while accepted.get() < QUEUED {
            let before = accepted.get();
            yield_now().await;
            most = most.max(accepted.get() - before);
        }
        serving.abort();
        most
    });
    // A turn may come after the last connection of a burst and the first of the next.
    let most = most.await;
    assert!(
        (1..=2 * (BURST + 1)).contains(&most),
        "{most} connections between two turns"
    );
}
