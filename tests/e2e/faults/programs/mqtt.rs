//! A program that publishes over MQTT at quality of service 1, several messages at a time.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::thread;

use super::log::{Answer, Draft, Log, PAUSE};
use crate::faults::mqtt_connection::{Address, MqttConnection, parse_puback};

/// Messages that a program sends before it reads the answers.
const MAX_BATCH: usize = 20;

/// A message without its PUBACK.
struct Pending {
    packet_id: u16,
    draft: Draft,
}

/// Publishes until it is over.
pub(super) fn run(log: &mut Log, address: &Address, version: u8) {
    let mut connection = None;
    let mut pending = VecDeque::new();
    let mut packet_id = 0;
    let mut kills = 0;
    while !log.is_over() {
        let so_far = log.control.kills.load(Ordering::Relaxed);
        if so_far > kills && log.random.bool() {
            connection = None;
            give_up(log, &mut pending);
        }
        kills = so_far;
        if !log.may_publish() {
            continue;
        }
        // The same client identifier each time: the server ends what is left of an earlier connection before it reads this one.
        let open = || MqttConnection::open(address, version, &log.name, false);
        let outcome = match connection.take() {
            Some(open) => Ok(open),
            None => open().and_then(|mut open| {
                log.control.resent.fetch_add(pending.len(), Ordering::Relaxed);
                resend(&mut open, &pending).map(|()| open)
            }),
        };
        let outcome = outcome.and_then(|mut open| {
            publish_some(log, &mut open, &mut pending, &mut packet_id)?;
            Ok(open)
        });
        match outcome {
            Ok(open) => connection = Some(open),
            Err(_) => thread::sleep(PAUSE),
        }
    }
    give_up(log, &mut pending);
}

/// Sends what has no PUBACK yet once more, in the same order (MQTT 5, 4.4).
fn resend(connection: &mut MqttConnection, pending: &VecDeque<Pending>) -> io::Result<()> {
    pending
        .iter()
        .try_for_each(|Pending { packet_id, draft }| connection.publish(&draft.topic, *packet_id, &draft.payload, true))
}

/// Sends some messages, and waits for all answers.
fn publish_some(
    log: &mut Log,
    connection: &mut MqttConnection,
    pending: &mut VecDeque<Pending>,
    last_packet_id: &mut u16,
) -> io::Result<()> {
    for _ in 0..log.random.usize(..=MAX_BATCH).saturating_sub(pending.len()) {
        *last_packet_id = last_packet_id.checked_add(1).unwrap_or(1);
        let (packet_id, draft) = (*last_packet_id, log.draft());
        // Kept first: where this fails, it is not known what the server has read.
        pending.push_back(Pending { packet_id, draft });
        let draft = &pending.back().expect("it was just added").draft;
        connection.publish(&draft.topic, packet_id, &draft.payload, false)?;
    }
    while !pending.is_empty() {
        let Some((packet_id, code)) = parse_puback(&connection.answer()?) else {
            return Err(io::ErrorKind::ConnectionAborted.into());
        };
        let Some(index) = pending.iter().position(|pending| pending.packet_id == packet_id) else {
            continue;
        };
        let answered = pending.remove(index).expect("it was just found");
        let answer = match code {
            0..0x80 => Answer::Accepted,
            code => Answer::Refused(code.into()),
        };
        log.report(&answered.draft, &answer);
    }
    Ok(())
}

/// The program has ended, and with it what it knew.
fn give_up(log: &mut Log, pending: &mut VecDeque<Pending>) {
    for Pending { draft, .. } in pending.drain(..) {
        log.report(&draft, &Answer::None);
    }
}
