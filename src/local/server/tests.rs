//! A queue of connections that never becomes empty.

use std::cell::Cell;

use tokio::io::{DuplexStream, duplex};
use tokio::task::LocalSet;

use super::super::answer::ApiError;
use super::*;

/// Connections in the queue: more than a flood brings in the time of a burst.
const QUEUED: usize = 50_000;

/// A door at which connections wait that are all sent away.
struct Flooded {
    accepted: Rc<Cell<usize>>,
}

impl Door for Flooded {
    const NAME: &'static str = "flooded";
    type Stream = DuplexStream;
    type Guest = &'static str;

    async fn accept(&self) -> io::Result<DuplexStream> {
        if self.accepted.get() >= QUEUED {
            return std::future::pending().await;
        }
        self.accepted.set(self.accepted.get() + 1);
        Ok(duplex(1).0)
    }

    fn greet(&self, _: &DuplexStream) -> io::Result<Option<(Origin, &'static str)>> {
        Ok(None)
    }

    async fn readable(&self, _: &DuplexStream) -> io::Result<()> {
        Ok(())
    }

    fn identify(&self, _: &DuplexStream, _: &mut &'static str, _: &Entered) -> Result<(), NoRoom> {
        Ok(())
    }

    async fn answer(&self, _: &&'static str, _: &Entered, _: Request<Incoming>) -> Answer {
        ApiError::malformed("nobody is let in").answer()
    }
}

#[tokio::test]
async fn promise_6_those_inside_have_their_turn_after_each_burst_of_connections() {
    let accepted = Rc::new(Cell::new(0));
    let door = Flooded {
        accepted: accepted.clone(),
    };
    let local = LocalSet::new();
    let most = local.run_until(async move {
        let serving = spawn_local(serve(Rc::new(door), Connections::default()));
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
