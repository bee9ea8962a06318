//! Drives one connection: reads bytes, handles packets, and writes the responses.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::client::Client;
use super::ending::end;
use super::identity::Identity;
use super::write_timer::WriteTimer;
use crate::local::context::ApiContext;
use crate::local::listeners::{ConnectionEnd, ConnectionSlot};
use crate::mqtt::{Action, Close, MAX_OUTPUT, MAX_PACKET, ReasonCode};

/// Number of bytes per read. The buffer is on the stack, so an idle connection has none.
const READ_SIZE: usize = 8 * 1024;
/// Time limit for writing the last bytes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The end of a turn.
enum Turn {
    /// There is nothing to do until something arrives.
    Idle,
    /// There is more to do.
    More,
    /// The connection has ended.
    End(Option<Box<Close>>),
}

/// The outcome of handling the packets that have arrived.
enum Step {
    Turn(Turn),
    /// CONNECT, SUBSCRIBE or UNSUBSCRIBE, whose answer may take a while.
    Request(Box<Action>),
}

/// The outcome of waiting for the socket.
enum Transfer {
    Read(usize),
    Written(usize),
}

/// Serves MQTT on a connection until it ends.
pub fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    context: Rc<ApiContext>,
    mut stream: S,
    identity: Identity,
    slot: ConnectionSlot,
) -> impl Future<Output = ()> {
    // On the heap at once: a future has room of its own for each place that a value passes through.
    let mut client = Box::new(Client::new(context, identity, slot));
    async move {
        let close = drive(&mut client, &mut stream).await;
        // On the heap, so that an idle connection has no room for its end.
        Box::pin(close_stream(client, stream, close)).await;
    }
}

/// Sends the client the last packet, which it need not read, and cleans up.
async fn close_stream<S: AsyncRead + AsyncWrite + Unpin>(
    mut client: Box<Client>,
    mut stream: S,
    close: Option<Box<Close>>,
) {
    let last = async {
        let output = client.server.output().split();
        stream.write_all(&output).await?;
        stream.shutdown().await
    };
    let _ = timeout(CLOSE_TIMEOUT, last).await;
    end(*client, close.map(|close| *close));
}

/// Drives the connection until it ends. Returns `None` if CONNECT was refused.
async fn drive<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client, stream: &mut S) -> Option<Box<Close>> {
    let mut input = BytesMut::new();
    let mut timer = WriteTimer::default();
    let signal = client.mailbox.signal.clone();
    let (mut alarm, mut busy) = (None, None);
    loop {
        // Before anything else, so that a client that never stops sending does not keep its connection.
        if let Some(end) = client.slot.connection.end() {
            let (code, words) = match end {
                ConnectionEnd::ShuttingDown => (
                    ReasonCode::SERVER_SHUTTING_DOWN,
                    "gatepost is ending; it is usually restarted",
                ),
                ConnectionEnd::Evicted => (ReasonCode::SERVER_BUSY, "others need the connection"),
            };
            return Some(Box::new(client.server.disconnect(code, Some(words))));
        }
        let turn = turn(client, &mut input).await;
        match turn {
            Turn::More if busy.is_none() => busy = Some(client.context.mqtt.turns.begin()),
            Turn::More => {}
            Turn::Idle | Turn::End(_) => busy = None,
        }
        timer.observe(!client.server.output().is_empty(), Instant::now());
        match turn {
            Turn::End(close) => return close,
            // Lets other tasks run; the output is written meanwhile.
            Turn::More if client.server.output().len() <= MAX_OUTPUT => {
                yield_now().await;
                if client.server.output().is_empty() {
                    continue;
                }
            }
            Turn::More | Turn::Idle => {}
        }
        if client.server.output().is_empty() {
            // An idle connection has no buffers.
            *client.server.output() = BytesMut::new();
        }
        if input.is_empty() {
            input = BytesMut::new();
        }
        let (deadline, reads) = (next_deadline(client, timer), reads(client, &input));
        let transfer = transfer(stream, &mut input, client.server.output(), reads);
        let transfer = tokio::select! {
            // In this order: a deadline that has passed meanwhile does not win over what has arrived.
            biased;
            transfer = transfer => transfer,
            () = signal.notified() => continue,
            () = wait_until(&mut alarm, deadline) => {
                match check_time(client, timer) {
                    Some(close) => return Some(Box::new(close)),
                    None => continue,
                }
            }
        };
        match transfer {
            Ok(Transfer::Written(bytes)) => {
                client.server.output().advance(bytes);
                timer.restart(Instant::now());
            }
            Ok(Transfer::Read(1..)) => {}
            Ok(Transfer::Read(0)) | Err(_) => {
                client.server.output().clear();
                return Some(Box::new(client.server.lost()));
            }
        }
    }
}

/// Waits until the deadline, if there is one. The timer is on the heap, because most idle connections need none, and is used again.
async fn wait_until(alarm: &mut Option<Pin<Box<Sleep>>>, deadline: Option<Instant>) {
    let Some(deadline) = deadline else {
        *alarm = None;
        return std::future::pending().await;
    };
    let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
    if alarm.deadline() != deadline {
        alarm.as_mut().reset(deadline);
    }
    alarm.as_mut().await;
}

/// Handles the packets that have arrived, and sends what is due.
async fn turn(client: &mut Client, input: &mut BytesMut) -> Turn {
    let mut packets = 0;
    let turn = loop {
        match handle_packets(client, input, &mut packets) {
            Step::Turn(turn) => break turn,
            // On the heap, so that an idle connection has no room for what few packets ask for.
            Step::Request(action) => {
                if !Box::pin(client.handle_request(*action)).await {
                    return Turn::End(None);
                }
            }
        }
    };
    if packets > 0 {
        client.pace(packets, Instant::now());
    }
    if let Some(session) = &mut client.session {
        // Each acknowledgement by itself would wake up the cloud thread or the messages thread.
        session.deliveries.release();
        if session.deliveries.has_done() {
            Box::pin(session.delete_stored()).await;
        }
    }
    turn
}

/// Handles packets until one needs an answer that may take a while, or the turn ends. Counts them.
fn handle_packets(client: &mut Client, input: &mut BytesMut, packets: &mut u32) -> Step {
    let most = client.context.mqtt.turns.packets();
    loop {
        let now = Instant::now();
        if let Some(close) = client.send_due(now) {
            return Step::Turn(Turn::End(Some(Box::new(close))));
        }
        if client.is_paused(now) {
            return Step::Turn(Turn::Idle);
        }
        if *packets >= most {
            return Step::Turn(Turn::More);
        }
        let Some(action) = client.server.next(input, now) else {
            return Step::Turn(Turn::Idle);
        };
        *packets += cost(&action);
        match action {
            Action::Publish(publish) => client.publish(publish),
            Action::Acknowledged(packet_id, code) => client.acknowledge(packet_id, code),
            Action::Close(close) => return Step::Turn(Turn::End(Some(close))),
            request => return Step::Request(Box::new(request)),
        }
    }
}

/// Returns the number of units by which a packet counts towards its turn and the rate of its account: each filter costs as much as a packet.
fn cost(action: &Action) -> u32 {
    let filters = match action {
        Action::Subscribe(subscribe) => subscribe.subscriptions.len(),
        Action::Unsubscribe(unsubscribe) => unsubscribe.filters.len(),
        Action::Connect(_) | Action::Publish(_) | Action::Acknowledged(..) | Action::Close(_) => 0,
    };
    u32::try_from(filters).unwrap_or(u32::MAX).saturating_add(1)
}

/// Waits until bytes are written or, if `reads`, read. Both are tried in one future, so that the socket need not be split.
async fn transfer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    input: &mut BytesMut,
    output: &BytesMut,
    reads: bool,
) -> io::Result<Transfer> {
    std::future::poll_fn(|context| {
        if !output.is_empty()
            && let Poll::Ready(written) = Pin::new(&mut *stream).poll_write(context, output)
        {
            return Poll::Ready(written.map(Transfer::Written));
        }
        if !reads {
            return Poll::Pending;
        }
        let mut bytes = [0; READ_SIZE];
        let mut buffer = ReadBuf::new(&mut bytes);
        std::task::ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
        input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(Transfer::Read(buffer.filled().len())))
    })
    .await
}

/// Returns whether more bytes may be read from the client now.
fn reads(client: &mut Client, input: &BytesMut) -> bool {
    let has_room = input.len() <= usize::try_from(MAX_PACKET).unwrap_or(usize::MAX);
    let is_read = !client.server.is_waiting() && client.server.output().len() <= MAX_OUTPUT;
    has_room && is_read && !client.is_paused(Instant::now())
}

/// Returns when a timer is due next, if nothing arrives before.
fn next_deadline(client: &Client, timer: WriteTimer) -> Option<Instant> {
    let times = [client.deadline(Instant::now()), timer.deadline()];
    times.into_iter().flatten().min()
}

fn check_time(client: &mut Client, timer: WriteTimer) -> Option<Close> {
    let now = Instant::now();
    if timer.is_over(now) {
        let log = &client.context.mqtt.log;
        log.cut_client(&client.name(), "the client does not read");
        client.server.output().clear();
        return Some(client.server.lost());
    }
    client.check_time(now)
}

#[cfg(test)]
mod tests;
