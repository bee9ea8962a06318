//! Tests accepting from a queue of connections that never becomes empty.

use std::cell::Cell;

use tokio::io::{DuplexStream, duplex};
use tokio::task::LocalSet;

use super::*;

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

#[tokio::test]
async fn promise_6_open_connections_are_served_between_bursts() {
    let accepted = Rc::new(Cell::new(0));
    let listener = Flooded {
        accepted: accepted.clone(),
    };
    let local = LocalSet::new();
    let most = local.run_until(async move {
        let serving = spawn_local(accept_connections(Rc::new(listener), Connections::default()));
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
