//! A test bench for the traffic of a session, without a broker: a real outbox on disk, a connection that enforces the protocol, and
//! tests that answer in AWS's place. Time is paused.

use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::{Presence, PresenceReport, Publisher, Subscriber, Traffic, publisher, subscriber};
use crate::clock::SharedClock;
use crate::clock::manual::ManualClock;
use crate::cloud::mqtt::test_sink::{Sent, TestSink};
use crate::cloud::mqtt::{Event, Farewell, Lost, Reason, ReasonCode};
use crate::messages::{
    Account, Bounds, DesiredFilter, DesiredFilters, Message, Outbox, SessionEvent, SubscriptionState, prepare,
};
use crate::mqtt::{Granted, ProtocolError, ServerLimits};
use crate::problem::Problem;
use crate::qos::Qos;
use crate::status::{MessagesDetails, MessagesPhase, StatusHub};

/// 2030-01-01, which is later than the build date.
const NOW: u64 = 1_893_456_000;
/// Thing name.
pub(super) const THING: &str = "gw-1";
/// Time within which everything is sent that need not wait.
const AT_ONCE: Duration = Duration::from_millis(10);

/// The traffic and its environment.
pub(super) struct Bench {
    pub(super) traffic: Traffic,
    pub(super) outbox: Outbox,
    pub(super) sink: TestSink,
    desired: watch::Sender<DesiredFilters>,
    /// Events for the inbox.
    pub(super) events: mpsc::Receiver<SessionEvent>,
    event_sender: mpsc::Sender<SessionEvent>,
    clock: SharedClock,
    _folder: TempDir,
}

impl Bench {
    /// Creates traffic with presence on the topic `presence`, or without presence.
    pub(super) async fn new(presence: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: SharedClock = ManualClock::at(NOW);
        let hub = StatusHub::new(clock.clone());
        let reporter = hub.reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
        // The store runs on this runtime, so the paused clock does not advance while it works.
        let (handles, work) = prepare(folder.path(), Bounds::default(), clock.clone(), reporter);
        tokio::spawn(work);
        let outbox = handles.outbox;
        // An earlier run has recorded that AWS has no filters.
        outbox
            .store_subscribed(Vec::new())
            .await
            .unwrap()
            .await
            .unwrap()
            .unwrap();
        let (desired_sender, desired) = watch::channel(DesiredFilters::new());
        let (event_sender, events) = mpsc::channel(1000);
        let presence = presence.map(str::to_owned);
        let mut traffic = Traffic {
            presence: Presence::new(presence, None, PresenceReport::for_test(&hub, &clock), outbox.clone()),
            publisher: Publisher::new(outbox.clone(), handles.qos0_messages, 100),
            subscriber: Subscriber::new(outbox.clone(), desired, event_sender.clone(), clock.clone()),
        };
        traffic.restore().await;
        Self {
            traffic,
            outbox,
            sink: TestSink::new(ServerLimits::default()),
            desired: desired_sender,
            events,
            event_sender,
            clock,
            _folder: folder,
        }
    }

    /// Restarts the daemon after a crash: only what is on disk is left.
    pub(super) async fn restart(&mut self) {
        let desired = self.desired.subscribe();
        self.traffic.subscriber = Subscriber::new(
            self.outbox.clone(),
            desired,
            self.event_sender.clone(),
            self.clock.clone(),
        );
        self.traffic.restore().await;
    }

    /// Lets programs want these filters at QoS 1, and no others.
    pub(super) fn want(&self, filters: &[&str]) {
        self.want_at(Qos::AtLeastOnce, filters);
    }

    /// Sets the filters that programs want at this quality of service.
    pub(super) fn want_at(&self, qos: Qos, filters: &[&str]) {
        let desired = filters.iter().map(|filter| {
            let desired = DesiredFilter {
                qos,
                newest_live_stream: 1,
                newest_stream: 1,
            };
            ((*filter).to_owned(), desired)
        });
        self.desired.send_replace(desired.collect());
    }

    /// Lets another program want the filter.
    pub(super) fn join(&self, filter: &str) {
        self.desired.send_modify(|desired| {
            if let Some(desired) = desired.get_mut(filter) {
                desired.newest_live_stream += 1;
                desired.newest_stream += 1;
            }
        });
    }

    /// Publishes `payload` on a topic of the same name.
    pub(super) async fn publish(&self, payload: &str) {
        let message = Message {
            topic: payload.to_owned(),
            payload: payload.to_owned().into(),
            ..Message::default()
        };
        self.outbox.accept(message, Account::default()).await.unwrap();
    }

    /// Sends `payload` at QoS 0 on a topic of the same name. The task returns what the program is told.
    pub(super) fn send_directly(&self, payload: &'static str) -> JoinHandle<Result<(), Problem>> {
        let message = Message {
            topic: payload.to_owned(),
            payload: payload.into(),
            ..Message::default()
        };
        let outbox = self.outbox.clone();
        tokio::spawn(async move { outbox.send_qos0(message).await })
    }

    /// Lets AWS answer the last message with this payload.
    pub(super) async fn answer_with(&mut self, payload: &str, code: ReasonCode) {
        let packet_id = self.sink.id_of(payload).unwrap();
        let mut reason = self.sink.acknowledge(packet_id);
        reason.code = code;
        let event = Event::Acknowledged { packet_id, reason };
        self.traffic.handle(event, &mut self.sink, THING).await;
    }

    /// Returns the number of waiting and of parked messages.
    pub(super) async fn counts(&self) -> (usize, usize) {
        let queued = self.outbox.list(0, false).await.unwrap().len();
        (queued, self.outbox.list(0, true).await.unwrap().len())
    }

    /// Connects. Returns the protocol error because of which the session was discarded, if it was.
    pub(super) async fn connect(&mut self, limits: ServerLimits) -> Option<ProtocolError> {
        self.sink = TestSink::new(limits);
        let discarded = self.traffic.connected(&limits).await;
        self.traffic.announce_online(&mut self.sink, THING);
        discarded
    }

    /// Drives the traffic for a time, as the session task does.
    pub(super) async fn run(&mut self, duration: Duration) {
        let until = Instant::now() + duration;
        loop {
            subscriber::requests::drive(&mut self.traffic.subscriber, &mut self.sink).await;
            tokio::select! {
                next = publisher::next::next(&mut self.traffic.publisher) => self.traffic.send(next, &mut self.sink).await,
                _ = self.traffic.subscriber.ready() => {}
                () = sleep_until(until) => return,
            }
        }
    }

    /// Drives the traffic until nothing more is sent at once.
    pub(super) async fn settle(&mut self) {
        self.run(AT_ONCE).await;
    }

    /// Returns the packets sent since the last call.
    pub(super) fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sink.sent)
    }

    /// Returns the payloads of the messages sent since the last call.
    pub(super) fn published(&mut self) -> Vec<String> {
        let sent = self.sent().into_iter();
        sent.filter_map(|sent| match sent {
            Sent::Publish(_, payload, _) => Some(payload),
            _ => None,
        })
        .collect()
    }

    /// Returns the filters of each SUBSCRIBE sent since the last call.
    pub(super) fn subscribed(&mut self) -> Vec<Vec<String>> {
        let sent = self.sent().into_iter();
        sent.filter_map(|sent| match sent {
            Sent::Subscribe(_, filters) => Some(filters.into_iter().map(|(filter, _)| filter).collect()),
            _ => None,
        })
        .collect()
    }

    /// Lets AWS acknowledge the message with this packet identifier.
    pub(super) async fn acknowledge(&mut self, packet_id: u16) -> bool {
        let reason = self.sink.acknowledge(packet_id);
        let event = Event::Acknowledged { packet_id, reason };
        self.traffic.handle(event, &mut self.sink, THING).await
    }

    /// Lets AWS answer SUBSCRIBE and UNSUBSCRIBE, and messages whose payload the predicate accepts.
    pub(super) async fn answer(&mut self, sent: &[Sent], is_answered: impl Fn(&str) -> bool) {
        for sent in sent {
            match sent {
                Sent::Publish(_, payload, Some(packet_id)) if is_answered(payload) => {
                    self.acknowledge(*packet_id).await;
                }
                Sent::Publish(..) => {}
                Sent::Subscribe(packet_id, filters) => {
                    let granted: Vec<Granted> = filters.iter().map(|(_, qos)| Ok(*qos)).collect();
                    self.grant(*packet_id, granted).await;
                }
                Sent::Unsubscribe(packet_id, _) => {
                    let event = Event::Unsubscribed { packet_id: *packet_id };
                    self.traffic.handle(event, &mut self.sink, THING).await;
                }
            }
        }
    }

    /// Lets AWS answer a SUBSCRIBE.
    pub(super) async fn grant(&mut self, packet_id: u16, granted: Vec<Granted>) {
        let event = Event::Subscribed {
            packet_id,
            granted,
            words: None,
        };
        self.traffic.handle(event, &mut self.sink, THING).await;
    }

    /// Ends the connection.
    pub(super) async fn lose(&mut self, lost: &Lost) {
        self.traffic.disconnected(Some(lost)).await;
    }

    /// Closes the connection.
    pub(super) fn close(&mut self) -> Farewell {
        self.traffic.announce_offline(&mut self.sink, THING)
    }

    /// Returns the filters that AWS has according to the database.
    pub(super) async fn recorded(&self) -> Vec<(String, SubscriptionState)> {
        let mut recorded = self.outbox.subscribed().await.unwrap().unwrap();
        recorded.sort_by(|one, other| one.0.cmp(&other.0));
        recorded
    }

    /// Returns the filters that were refused since the last call.
    pub(super) fn refused(&mut self) -> Vec<String> {
        let events = std::iter::from_fn(|| self.events.try_recv().ok());
        events
            .filter_map(|event| match event {
                SessionEvent::Refused(filter, _) => Some(filter),
                _ => None,
            })
            .collect()
    }
}

/// Returns the limits of a server that resumes the session, or starts a new one.
pub(super) fn session(present: bool) -> ServerLimits {
    ServerLimits {
        session_present: present,
        ..ServerLimits::default()
    }
}

/// Returns the loss of a connection that AWS closes with this code.
pub(super) fn disconnected(code: ReasonCode) -> Lost {
    Lost::Disconnected(Reason { code, words: None })
}
