//! A session's traffic without a broker: a real outbox on the disk, a connection that keeps to the protocol, and the test in AWS's
//! place. Time is the test's.

use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::{Presence, PresenceReport, Publisher, Subscriber, Traffic};
use crate::clock::SharedClock;
use crate::clock::manual::ManualClock;
use crate::cloud::mqtt::test_sink::{Sent, TestSink};
use crate::cloud::mqtt::{Event, Farewell, Lost, Reason, ReasonCode};
use crate::messages::{
    Account, Bounds, Message, Outbox, SessionEvent, SubscriptionState, Wanted, WantedFilter, prepare,
};
use crate::mqtt::{Granted, ProtocolError, ServerLimits};
use crate::problem::Problem;
use crate::qos::Qos;
use crate::status::{MessagesDetails, MessagesPhase, StatusHub};

/// 2030-01-01: after any build.
const NOW: u64 = 1_893_456_000;
pub(super) const THING: &str = "gw-1";
/// Answered without delay.
const AT_ONCE: Duration = Duration::from_millis(10);

/// The traffic and its surroundings.
pub(super) struct Bench {
    pub(super) traffic: Traffic,
    pub(super) outbox: Outbox,
    pub(super) sink: TestSink,
    wanting: watch::Sender<Wanted>,
    /// Messages and news for the programs.
    pub(super) arrivals: mpsc::Receiver<SessionEvent>,
    arrive: mpsc::Sender<SessionEvent>,
    clock: SharedClock,
    _folder: TempDir,
}

impl Bench {
    /// Traffic with presence on `presence`, or without.
    pub(super) async fn new(presence: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: SharedClock = ManualClock::at(NOW);
        let hub = StatusHub::new(clock.clone());
        let reporter = hub.reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
        // The store works on this runtime: the clock stands still while it does.
        let (handles, work) = prepare(folder.path(), Bounds::default(), clock.clone(), reporter);
        tokio::spawn(work);
        let outbox = handles.outbox;
        // An earlier start has noted that AWS has nothing.
        outbox
            .store_subscribed(Vec::new())
            .await
            .unwrap()
            .await
            .unwrap()
            .unwrap();
        let (wanting, wanted) = watch::channel(Wanted::new());
        let (arrive, arrivals) = mpsc::channel(1000);
        let presence = presence.map(str::to_owned);
        let mut traffic = Traffic {
            presence: Presence::new(presence, None, PresenceReport::for_test(&hub, &clock), outbox.clone()),
            publisher: Publisher::new(outbox.clone(), handles.direct, 100),
            subscriber: Subscriber::new(outbox.clone(), wanted, arrive.clone(), clock.clone()),
        };
        traffic.remember().await;
        Self {
            traffic,
            outbox,
            sink: TestSink::new(ServerLimits::default()),
            wanting,
            arrivals,
            arrive,
            clock,
            _folder: folder,
        }
    }

    /// The daemon was killed and started again: only what is on the disk is known.
    pub(super) async fn restart(&mut self) {
        let wanted = self.wanting.subscribe();
        self.traffic.subscriber = Subscriber::new(self.outbox.clone(), wanted, self.arrive.clone(), self.clock.clone());
        self.traffic.remember().await;
    }

    /// The programs want these filters at quality of service 1, and nothing else.
    pub(super) fn want(&self, filters: &[&str]) {
        let wanted = filters.iter().map(|filter| {
            let wanted = WantedFilter {
                qos: Qos::AtLeastOnce,
                joined: 1,
                asked: 1,
            };
            ((*filter).to_owned(), wanted)
        });
        self.wanting.send_replace(wanted.collect());
    }

    /// One more program wants the filter.
    pub(super) fn join(&self, filter: &str) {
        self.wanting.send_modify(|wanted| {
            if let Some(wanted) = wanted.get_mut(filter) {
                wanted.joined += 1;
                wanted.asked += 1;
            }
        });
    }

    /// A program publishes this on a topic of the same name.
    pub(super) async fn publish(&self, payload: &str) {
        let message = Message {
            topic: payload.to_owned(),
            payload: payload.to_owned().into(),
            ..Message::default()
        };
        self.outbox.accept(message, Account::default()).await.unwrap();
    }

    /// A program sends this at quality of service 0, on a topic of the same name; it is told what has become of it.
    pub(super) fn send_directly(&self, payload: &'static str) -> JoinHandle<Result<(), Problem>> {
        let message = Message {
            topic: payload.to_owned(),
            payload: payload.into(),
            ..Message::default()
        };
        let outbox = self.outbox.clone();
        tokio::spawn(async move { outbox.send_qos0(message).await })
    }

    /// AWS answers the last message with this payload.
    pub(super) async fn answer_with(&mut self, payload: &str, code: ReasonCode) {
        let packet_id = self.sink.id_of(payload).unwrap();
        let mut reason = self.sink.acknowledge(packet_id);
        reason.code = code;
        let event = Event::Acknowledged { packet_id, reason };
        self.traffic.happened(event, &mut self.sink, THING).await;
    }

    /// How many messages wait, and how many are parked.
    pub(super) async fn counts(&self) -> (usize, usize) {
        let queued = self.outbox.list(0, false).await.unwrap().len();
        (queued, self.outbox.list(0, true).await.unwrap().len())
    }

    /// A connection; returns the breach because of which the session was discarded.
    pub(super) async fn connect(&mut self, limits: ServerLimits) -> Option<ProtocolError> {
        self.sink = TestSink::new(limits);
        let discarded = self.traffic.connected(&limits).await;
        self.traffic.announce_online(&mut self.sink, THING);
        discarded
    }

    /// Lets the traffic flow for so long, as the session does.
    pub(super) async fn run(&mut self, duration: Duration) {
        let until = Instant::now() + duration;
        loop {
            self.traffic.subscriber.go_on(&mut self.sink).await;
            tokio::select! {
                next = self.traffic.publisher.next() => self.traffic.send(next, &mut self.sink).await,
                _ = self.traffic.subscriber.something_to_do() => {}
                () = sleep_until(until) => return,
            }
        }
    }

    /// Lets it flow until nothing more is sent at once.
    pub(super) async fn settle(&mut self) {
        self.run(AT_ONCE).await;
    }

    /// The packets that were sent since this was asked the last time.
    pub(super) fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sink.sent)
    }

    /// The payloads of messages among them.
    pub(super) fn published(&mut self) -> Vec<String> {
        let sent = self.sent().into_iter();
        sent.filter_map(|sent| match sent {
            Sent::Publish(_, payload, _) => Some(payload),
            _ => None,
        })
        .collect()
    }

    /// The filters of each SUBSCRIBE among them.
    pub(super) fn subscribed(&mut self) -> Vec<Vec<String>> {
        let sent = self.sent().into_iter();
        sent.filter_map(|sent| match sent {
            Sent::Subscribe(_, filters) => Some(filters.into_iter().map(|(filter, _)| filter).collect()),
            _ => None,
        })
        .collect()
    }

    /// AWS acknowledges the message with this packet identifier.
    pub(super) async fn acknowledge(&mut self, packet_id: u16) -> bool {
        let reason = self.sink.acknowledge(packet_id);
        let event = Event::Acknowledged { packet_id, reason };
        self.traffic.happened(event, &mut self.sink, THING).await
    }

    /// AWS answers SUBSCRIBE and UNSUBSCRIBE, and messages whose payload is so.
    pub(super) async fn answer(&mut self, sent: &[Sent], is: impl Fn(&str) -> bool) {
        for sent in sent {
            match sent {
                Sent::Publish(_, payload, Some(packet_id)) if is(payload) => drop(self.acknowledge(*packet_id).await),
                Sent::Publish(..) => {}
                Sent::Subscribe(packet_id, filters) => {
                    let granted: Vec<Granted> = filters.iter().map(|(_, qos)| Ok(*qos)).collect();
                    self.grant(*packet_id, granted).await;
                }
                Sent::Unsubscribe(packet_id, _) => {
                    let event = Event::Unsubscribed { packet_id: *packet_id };
                    self.traffic.happened(event, &mut self.sink, THING).await;
                }
            }
        }
    }

    /// AWS answers a SUBSCRIBE.
    pub(super) async fn grant(&mut self, packet_id: u16, granted: Vec<Granted>) {
        let event = Event::Subscribed {
            packet_id,
            granted,
            words: None,
        };
        self.traffic.happened(event, &mut self.sink, THING).await;
    }

    /// The connection ends.
    pub(super) async fn lose(&mut self, lost: &Lost) {
        self.traffic.disconnected(Some(lost)).await;
    }

    /// We end it.
    pub(super) fn say_goodbye(&mut self) -> Farewell {
        self.traffic.announce_offline(&mut self.sink, THING)
    }

    /// The filters that the disk says AWS has.
    pub(super) async fn noted(&self) -> Vec<(String, SubscriptionState)> {
        let mut noted = self.outbox.subscribed().await.unwrap().unwrap();
        noted.sort_by(|one, other| one.0.cmp(&other.0));
        noted
    }

    /// The news for programs that have come since this was asked the last time.
    pub(super) fn refused(&mut self) -> Vec<String> {
        let arrivals = std::iter::from_fn(|| self.arrivals.try_recv().ok());
        arrivals
            .filter_map(|arrival| match arrival {
                SessionEvent::Refused(filter, _) => Some(filter),
                _ => None,
            })
            .collect()
    }
}

/// A server that keeps the session, or has a new one.
pub(super) fn session(present: bool) -> ServerLimits {
    ServerLimits {
        session_present: present,
        ..ServerLimits::default()
    }
}

/// AWS ends the connection with this reason.
pub(super) fn disconnected(code: ReasonCode) -> Lost {
    Lost::Disconnected(Reason { code, words: None })
}
