//! Drives one connection: reads bytes, handles packets, and writes the responses.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::task::{spawn_local, yield_now};
use tokio::time::{Instant, sleep_until, timeout};

use super::client::{Client, Session};
use super::deliver::CHECK_INTERVAL;
use super::identity::Identity;
use super::registry::Kept;
use super::will;
use crate::local::context::ApiContext;
use crate::local::listeners::ConnectionSlot;
use crate::mqtt::{Action, Close, CloseCause, MAX_OUTPUT, MAX_PACKET, ReasonCode};

/// Number of bytes per read. The buffer is on the stack, so an idle connection has none.
const READ_SIZE: usize = 8 * 1024;
/// Packets that are handled in a row before other connections and HTTP requests get their turn.
const PACKETS_PER_TURN: u32 = 16;
/// A client is disconnected if it reads nothing for this long while there is something to write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
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
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    context: Rc<ApiContext>,
    mut stream: S,
    identity: Identity,
    slot: ConnectionSlot,
) {
    let mut client = Client::new(context, identity, slot);
    let close = drive(&mut client, &mut stream).await;
    // The last packet to the client, which need not read it.
    let _ = timeout(CLOSE_TIMEOUT, async {
        let output = client.server.output().split();
        stream.write_all(&output).await?;
        stream.shutdown().await
    })
    .await;
    end(client, close);
}

/// Drives the connection until it ends. Returns `None` if CONNECT was refused.
async fn drive<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client, stream: &mut S) -> Option<Close> {
    let mut input = BytesMut::new();
    let mut written = Instant::now();
    let connection = client.slot.connection.clone();
    let ending = client.slot.shutdown();
    let mut ending = pin!(ending);
    let mut evicted = pin!(async move { connection.evicted().await });
    let signal = client.mailbox.signal.clone();
    loop {
        match turn(client, &mut input).await {
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
            written = Instant::now();
        }
        if input.is_empty() {
            input = BytesMut::new();
        }
        let (deadline, reads) = (next_deadline(client, written), reads(client, &input));
        let transfer = transfer(stream, &mut input, client.server.output(), reads);
        let transfer = tokio::select! {
            transfer = transfer => transfer,
            () = signal.notified() => continue,
            () = async { match deadline { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {
                match check_time(client, written) {
                    Some(close) => return Some(close),
                    None => continue,
                }
            }
            () = ending.as_mut() => {
                let words = "gatepost is ending; it is usually restarted";
                return Some(client.server.disconnect(ReasonCode::SERVER_SHUTTING_DOWN, Some(words)));
            }
            () = evicted.as_mut() => {
                return Some(client.server.disconnect(ReasonCode::SERVER_BUSY, Some("others need the connection")));
            }
        };
        match transfer {
            Ok(Transfer::Written(bytes)) => {
                client.server.output().advance(bytes);
                written = Instant::now();
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
    loop {
        if let Some(resumes) = client.mailbox.taken_over() {
            return Turn::End(Some(Box::new(client.server.take_over(resumes))));
        }
        client.answer_stored();
        if let Some(close) = client.handle_filter_events() {
            return Turn::End(Some(Box::new(close)));
        }
        let now = Instant::now();
        client.answer_subscribes(now);
        client.deliver();
        client.delete_stored().await;
        if client.is_paused(now) {
            return Turn::Idle;
        }
        let Some(action) = client.server.next(input, now) else {
            break;
        };
        packets += 1;
        if let Some(turn) = handle(client, action).await {
            return turn;
        }
        packets += std::mem::take(&mut client.cost);
        if packets >= PACKETS_PER_TURN {
            client.pace(packets, now);
            return Turn::More;
        }
    }
    if packets > 0 {
        client.pace(packets, Instant::now());
    }
    Turn::Idle
}

async fn handle(client: &mut Client, action: Action) -> Option<Turn> {
    match action {
        Action::Connect(connect) => {
            if !client.connect(&connect).await {
                return Some(Turn::End(None));
            }
        }
        Action::Publish(publish) => client.publish(publish),
        Action::Acknowledged(packet_id, code) => client.acknowledged(packet_id, code),
        Action::Subscribe(subscribe) => client.subscribe(subscribe).await,
        Action::Unsubscribe(unsubscribe) => client.unsubscribe(&unsubscribe).await,
        Action::Close(close) => return Some(Turn::End(Some(close))),
    }
    None
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
fn next_deadline(client: &mut Client, written: Instant) -> Option<Instant> {
    let waits_for_write = !client.server.output().is_empty();
    let times = [
        client.server.deadline(),
        client.suback_deadline(),
        client.pause_end(),
        waits_for_write.then(|| written + WRITE_TIMEOUT),
        client.is_awaited().then(|| Instant::now() + CHECK_INTERVAL),
    ];
    times.into_iter().flatten().min()
}

fn check_time(client: &mut Client, written: Instant) -> Option<Close> {
    if !client.server.output().is_empty() && written.elapsed() >= WRITE_TIMEOUT {
        client
            .context
            .mqtt
            .log
            .cut_client(&client.name(), "the client does not read");
        client.server.output().clear();
        return Some(client.server.lost());
    }
    client
        .check_acknowledgements()
        .or_else(|| client.server.check_time(Instant::now()))
}

/// Cleans up after a connection.
fn end(mut client: Client, close: Option<Close>) {
    let (Some(close), name) = (close, client.name()) else {
        return;
    };
    let log = &client.context.mqtt.log;
    match &close.cause {
        CloseCause::Breach(_) | CloseCause::KeepAlive | CloseCause::ClientTooNarrow => {
            log.cut_client(&name, &close.cause.to_string());
        }
        // A refused request has a journal line of its own.
        CloseCause::Refused(_) => log.cut_client(&name, "MQTT 3.1.1 has no other answer to a request that is refused"),
        cause => log::debug!("local-mqtt: {name}: {cause}"),
    }
    let Some(session) = client.session.take() else { return };
    let is_current = client.context.mqtt.registry.disconnect(&session.key, &client.mailbox);
    // Programs reconnect at once when gatepost restarts, so publishing their wills would be wrong.
    let is_ending = matches!(close.cause, CloseCause::ByServer(ReasonCode::SERVER_SHUTTING_DOWN));
    if let Some(due) = close.will.filter(|_| !is_ending) {
        will::publish_due(&client.context, &session, due);
    }
    let Some(name) = session.inbox.durable_name().map(str::to_owned) else {
        return;
    };
    let Session { key, stored, own, .. } = session;
    let (context, expiry, sent) = (client.context.clone(), close.session_expiry, Some(stored.watermark()));
    if is_current && expiry > 0 {
        context.mqtt.registry.keep(key.clone(), Kept { sent, own });
    }
    spawn_local(async move {
        if !stored.done.is_empty() {
            context.inbox.acknowledge_stored(&name, stored.done).await;
        }
        // A later connection of the same client may already have the session.
        if is_current && !context.mqtt.registry.is_connected(&key) {
            context.inbox.leave_session(&name, expiry).await;
        }
    });
}

impl Client {
    /// Slows down reading from a client that sends more packets than its account may.
    fn pace(&mut self, packets: u32, now: Instant) {
        let Some(session) = &mut self.session else { return };
        let delay = self.context.rate_limiter.packet_delay(&session.caller, packets);
        session.pause = (!delay.is_zero()).then(|| now + delay);
    }

    fn pause_end(&self) -> Option<Instant> {
        self.session.as_ref()?.pause.filter(|end| *end > Instant::now())
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.session
            .as_ref()
            .and_then(|session| session.pause)
            .is_some_and(|end| end > now)
    }
}
