//! Tests of the memory that an idle connection holds.

use tokio::net::UnixStream;

use super::*;

/// The size of the future that a function returns.
fn future_size<A, B, C, D, F>(_: impl Fn(A, B, C, D) -> F) -> usize {
    size_of::<F>()
}

/// A gateway may have hundreds of connections that do nothing. What few packets ask for must not be part of each of them.
#[test]
fn a_connection_that_waits_has_no_room_for_what_it_may_do_later() {
    let (future, client) = (future_size(serve::<UnixStream>), size_of::<Client>());
    assert!(future <= 400, "the future has {future} bytes");
    assert!(client <= 832, "the client has {client} bytes");
}
