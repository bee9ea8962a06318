//! Drives one connection: reads bytes, handles packets, and writes the responses.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use super::client::Client;
use super::ending::end;
use super::identity::Identity;
use super::write_timer::WriteTimer;
use crate::local::context::ApiContext;
use crate::local::listeners::ConnectionSlot;
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
        // The last packet to the client, which need not read it.
        let last = Box::pin(async {
            let output = client.server.output().split();
            stream.write_all(&output).await?;
            stream.shutdown().await
        });
        let _ = timeout(CLOSE_TIMEOUT, last).await;
        end(*client, close);
    }
}

/// Drives the connection until it ends. Returns `None` if CONNECT was refused.
async fn drive<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client, stream: &mut S) -> Option<Close> {
    let mut input = BytesMut::new();
    let mut timer = WriteTimer::default();
    let connection = client.slot.connection.clone();
    let ending = client.slot.shutdown();
    let mut ending = pin!(ending);
    let mut evicted = pin!(async move { connection.evicted().await });
    let signal = client.mailbox.signal.clone();
    let mut busy = None;
    loop {
        let turn = turn(client, &mut input).await;
        match turn {
            Turn::More if busy.is_none() => busy = Some(client.context.mqtt.turns.begin()),
            Turn::More => {}
            Turn::Idle | Turn::End(_) => busy = None,
        }
        timer.observe(!client.server.output().is_empty(), Instant::now());
        match turn {
            Turn::End(close) => return close.map(|close| *close),
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
            // In this order: neither a client that never stops sending nor a deadline that has passed meanwhile wins over what comes
            // before it.
            biased;
            () = ending.as_mut() => {
                let words = "gatepost is ending; it is usually restarted";
                return Some(client.server.disconnect(ReasonCode::SERVER_SHUTTING_DOWN, Some(words)));
            }
            () = evicted.as_mut() => {
                return Some(client.server.disconnect(ReasonCode::SERVER_BUSY, Some("others need the connection")));
            }
            transfer = transfer => transfer,
            () = signal.notified() => continue,
            () = async { match deadline { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {
                match check_time(client, timer) {
                    Some(close) => return Some(close),
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
                return Some(client.server.lost());
            }
        }
    }
}

/// Handles the packets that have arrived, and sends what is due.
async fn turn(client: &mut Client, input: &mut BytesMut) -> Turn {
    let mut packets = 0;
    let most = client.context.mqtt.turns.packets();
    loop {
        let now = Instant::now();
        if let Some(close) = client.send_due(now) {
            return Turn::End(Some(Box::new(close)));
        }
        if let Some(session) = &mut client.session
            && session.deliveries.has_done()
        {
            Box::pin(session.delete_stored()).await;
        }
        if client.is_paused(now) {
            return Turn::Idle;
        }
        let Some(action) = client.server.next(input, now) else {
            break;
        };
        packets += cost(&action);
        match action {
            Action::Publish(publish) => client.publish(publish),
            Action::Acknowledged(packet_id, code) => client.acknowledge(packet_id, code),
            Action::Close(close) => return Turn::End(Some(close)),
            // On the heap, so that an idle connection has no room for what few packets ask for.
            action => {
                if !Box::pin(client.handle_request(action)).await {
                    return Turn::End(None);
                }
            }
        }
        if packets >= most {
            client.pace(packets, now);
            return Turn::More;
        }
    }
    if packets > 0 {
        client.pace(packets, Instant::now());
    }
    Turn::Idle
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
