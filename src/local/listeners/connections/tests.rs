//! Tests of slots, evictions and busy connections.

use super::*;
use crate::local::limits::PER_ORIGIN;

fn is_in(connections: &Connections, slot: &ConnectionSlot) -> bool {
    connections
        .all
        .borrow()
        .iter()
        .any(|connection| Rc::ptr_eq(connection, &slot.connection))
}

#[test]
fn the_connection_that_was_idle_longest_is_evicted_and_other_users_keep_theirs() {
    let connections = Connections::default();
    let other = connections.enter(Origin::WithoutToken).unwrap();
    let mut mine: Vec<ConnectionSlot> = (0..PER_ORIGIN)
        .map(|_| connections.enter(Origin::User(1)).unwrap())
        .collect();
    mine[0].record_request();
    mine.push(connections.enter(Origin::User(1)).unwrap());
    assert!(is_in(&connections, &mine[0]) && !is_in(&connections, &mine[1]) && is_in(&connections, &other));
    drop(mine);
    drop(other);
    assert!(connections.all.borrow().is_empty(), "slots are released");
}

#[test]
fn busy_connections_are_not_evicted() {
    let connections = Connections::default();
    let mine: Vec<ConnectionSlot> = (0..PER_ORIGIN)
        .map(|_| connections.enter(Origin::User(1)).unwrap())
        .collect();
    let mut busy: Vec<BusyGuard> = mine.iter().map(ConnectionSlot::mark_busy).collect();
    assert!(connections.enter(Origin::User(1)).is_none());
    assert!(connections.enter(Origin::User(2)).is_some());
    busy.pop();
    assert!(connections.enter(Origin::User(1)).is_some());
    assert!(!is_in(&connections, &mine[PER_ORIGIN - 1]));
}

#[test]
fn a_connection_moves_to_the_slots_of_its_origin() {
    let connections = Connections::default();
    let camera = || Origin::Bearer("camera".into());
    let known: Vec<ConnectionSlot> = (0..PER_ORIGIN)
        .map(|_| {
            let slot = connections.enter(Origin::WithoutToken).unwrap();
            assert_eq!(slot.move_to(camera()), Ok(()));
            slot
        })
        .collect();
    // Connections without a token never displace those that have presented one.
    let without_token: Vec<ConnectionSlot> = (0..1000)
        .map(|_| connections.enter(Origin::WithoutToken).unwrap())
        .collect();
    assert!(known.iter().all(|slot| is_in(&connections, slot)));
    let _busy: Vec<BusyGuard> = known.iter().map(ConnectionSlot::mark_busy).collect();
    let last = without_token.last().unwrap();
    assert_eq!(last.move_to(camera()), Err(NoSlotError));
    assert_eq!(last.move_to(Origin::Bearer("other".into())), Ok(()));
    assert_eq!(last.move_to(Origin::Bearer("other".into())), Ok(()), "once is enough");
    assert_eq!(
        without_token[0].move_to(camera()),
        Ok(()),
        "it was evicted, and ends by itself"
    );
}

#[tokio::test]
async fn renewed_connections_are_evicted_once() {
    let connections = Connections::default();
    let (quiet, busy) = (
        connections.enter(Origin::User(1)).unwrap(),
        connections.enter(Origin::User(2)).unwrap(),
    );
    let _working = busy.mark_busy();
    connections.renew();
    let later = connections.enter(Origin::User(3)).unwrap();
    for asked in [&quiet, &busy] {
        assert_eq!(asked.connection.ending().await, ConnectionEnd::Evicted);
    }
    assert_eq!(later.connection.end(), None, "a later connection stays");
}

#[tokio::test]
async fn every_connection_learns_that_the_daemon_ends() {
    let connections = Connections::default();
    let enter = |uid| connections.enter(Origin::User(uid)).unwrap();
    let (idle, evicted, waiting) = (enter(1), enter(2), enter(3));
    connections.renew();
    let task = waiting.connection.clone();
    assert_eq!(task.ending().await, ConnectionEnd::Evicted);
    let mut finish = std::pin::pin!(connections.finish());
    tokio::select! {
        biased;
        () = finish.as_mut() => panic!("connections are open"),
        () = std::future::ready(()) => {}
    }
    let late = enter(4);
    for slot in [idle, evicted, waiting, late] {
        assert_eq!(slot.connection.ending().await, ConnectionEnd::ShuttingDown);
    }
    finish.await;
}
