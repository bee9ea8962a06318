//! Tests of the order and codes of acknowledgements, and of the queue for the inbox.

use super::*;

fn message() -> Received {
    Received {
        topic: "t".into(),
        qos: crate::qos::Qos::AtLeastOnce,
        ..Received::default()
    }
}

#[tokio::test]
async fn a_message_at_qos_0_is_not_lost_behind_the_event_of_its_subscription() {
    let (sender, mut events) = mpsc::channel(1);
    let mut inbound = Inbound::new(sender);
    for filter in ["a", "b", "c"] {
        inbound.tell(SessionEvent::Subscribed(filter.into()));
    }
    // AWS sends retained messages right after SUBACK, before the inbox has taken anything.
    inbound.received(None, message());
    let mut seen = Vec::new();
    while seen.len() < 4 {
        tokio::select! {
            biased;
            _ = inbound.acknowledgements() => panic!("no message needs an acknowledgement"),
            event = events.recv() => seen.push(matches!(event, Some(SessionEvent::Message(..)))),
        }
    }
    assert_eq!(seen, [false, false, false, true], "in the order of arrival");
    // The queue is bounded.
    for _ in 0..10_000 {
        inbound.received(None, message());
    }
    assert_eq!(inbound.waiting.len(), MAX_WAITING);
    let large = Received {
        payload: vec![0; MAX_WAITING_BYTES].into(),
        ..message()
    };
    inbound.disconnected();
    assert_eq!(inbound.waiting.len(), MAX_WAITING, "messages at QoS 0 are kept");
    inbound.waiting.clear();
    for _ in 0..10 {
        inbound.received(None, large.clone());
    }
    assert_eq!(inbound.waiting.len(), 1);
    inbound.received(Some(1), large);
    assert_eq!(inbound.waiting.len(), 2, "messages at QoS 1 always wait");
    inbound.disconnected();
    assert_eq!(inbound.waiting.len(), 1, "messages at QoS 1 are not kept");
}

#[tokio::test]
async fn a_skipped_message_is_acknowledged_in_order() {
    let (sender, mut events) = mpsc::channel(2);
    let mut inbound = Inbound::new(sender);
    inbound.received(Some(1), message());
    inbound.pass_on();
    inbound.skipped(Some(2), "t", "too large");
    inbound.skipped(None, "t", "too large");
    let first = events.recv().await;
    tokio::select! {
        biased;
        _ = inbound.acknowledgements() => panic!("the first one is not taken yet"),
        () = std::future::ready(()) => {}
    }
    drop(first);
    let due = [(1, NOT_TAKEN), (2, ReasonCode::QUOTA_EXCEEDED)];
    assert_eq!(inbound.acknowledgements().await, due);
    assert_eq!(
        inbound.not_taken.total(),
        1,
        "a skipped message has its own line in the journal"
    );
}

/// Takes the next message out of the queue.
async fn next_guard(events: &mut mpsc::Receiver<SessionEvent>) -> AckGuard {
    match events.recv().await {
        Some(SessionEvent::Message(_, guard)) => guard,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_message_is_refused_unless_a_program_or_the_disk_has_it() {
    let (sender, mut events) = mpsc::channel(8);
    let mut inbound = Inbound::new(sender);
    // Whether each of the holders of a message takes it, and the code of the acknowledgement.
    let cases: [(&[bool], ReasonCode); 6] = [
        (&[], NOT_TAKEN),
        (&[true], ReasonCode::SUCCESS),
        (&[false], NOT_TAKEN),
        (&[false, true], ReasonCode::SUCCESS),
        (&[true, false], ReasonCode::SUCCESS),
        (&[false, false], NOT_TAKEN),
    ];
    for (packet_id, (holders, code)) in (1..).zip(cases) {
        inbound.received(Some(packet_id), message());
        inbound.pass_on();
        let guard = next_guard(&mut events).await;
        for takes in holders {
            let clone = guard.clone();
            if *takes {
                clone.mark_taken();
            }
        }
        drop(guard);
        assert_eq!(inbound.acknowledgements().await, [(packet_id, code)], "{holders:?}");
    }
    assert_eq!(inbound.not_taken.total(), 3);
}

#[tokio::test]
async fn messages_are_acknowledged_in_the_order_of_arrival() {
    let (sender, mut events) = mpsc::channel(2);
    let mut inbound = Inbound::new(sender);
    for packet_id in 1..=4 {
        inbound.received(Some(packet_id), message());
    }
    let mut taken = Vec::new();
    for _ in 0..4 {
        tokio::select! {
            biased;
            _ = inbound.acknowledgements() => panic!("nothing was taken"),
            guard = next_guard(&mut events) => {
                guard.mark_taken();
                taken.push(guard);
            }
        }
    }
    drop(taken.remove(1));
    drop(taken.remove(0));
    let success = |packet_id| (packet_id, ReasonCode::SUCCESS);
    assert_eq!(inbound.acknowledgements().await, [1, 2].map(success));
    // Messages of a lost connection are never acknowledged, because AWS sends them again.
    inbound.disconnected();
    taken.clear();
    inbound.received(Some(9), message());
    inbound.pass_on();
    next_guard(&mut events).await.mark_taken();
    assert_eq!(inbound.acknowledgements().await, [success(9)]);
}

#[tokio::test]
async fn what_programs_acknowledge_together_is_acknowledged_to_aws_together() {
    let (sender, mut events) = mpsc::channel(100);
    let mut inbound = Inbound::new(sender);
    let ids = 1..=100;
    for packet_id in ids.clone() {
        inbound.received(Some(packet_id), message());
    }
    assert!(events.is_empty(), "they are passed on together");
    inbound.pass_on();
    assert_eq!(events.len(), 100);
    let mut guards = Vec::new();
    for _ in ids.clone() {
        guards.push(next_guard(&mut events).await);
    }
    for guard in &guards {
        guard.mark_taken();
    }
    drop(guards);
    let all: Vec<_> = ids.map(|packet_id| (packet_id, ReasonCode::SUCCESS)).collect();
    assert_eq!(inbound.acknowledgements().await, all);
}
