//! Keeps AWS's side of the session subscribed to what the programs want, and hands on what comes.
//!
//! AWS keeps subscriptions with the session, so one that is there is not asked for again (Device Advisor fails a client that
//! does); a session that is gone has none. What AWS has is noted on the disk, because the session outlives this process.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::time::Duration;

use log::Level;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::few::Few;
use super::incoming_poison::IncomingPoison;
use super::receiver::Receiver;
use super::suspects::Suspects;
use super::words;
use crate::cloud::mqtt::{Connection, Lost, MAX_FILTERS_PER_PACKET, NotSent, Reason, ReasonCode};
use crate::event::{Event, journal};
use crate::messages::{Arrival, Failure, MAX_FILTERS, Outbox, Wanted, WantedFilter, is_wild};
use crate::mqtt::{LATEST_ANSWER, ProtocolError, ServerLimits};
use crate::problem::Problem;
use crate::topic;

/// A filter that nobody wants any more is given up after this time: programs are restarted.
const LINGER: Duration = Duration::from_secs(10);
/// A refused filter is not asked for again for so long, and each time in a row for twice as long: a change of policy takes AWS
/// a few minutes.
const REFUSED: Duration = Duration::from_secs(60);
/// The longest such time; the same for one that made AWS drop the connection.
const QUARANTINE: Duration = Duration::from_secs(3600);
/// Refused filters that are remembered though nobody wants them at the moment.
const REMEMBERED: usize = 256;
/// In the place of a granted quality of service (SUBACK has this for a failure): AWS was asked for the filter, or to give it
/// up, and its answer may be lost. It is asked again, whatever is wanted by then.
const UNCERTAIN: u8 = 0x80;

/// The subscriber, through all connections.
#[derive(Debug)]
pub struct Subscriber {
    outbox: Outbox,
    wanted: watch::Receiver<Wanted>,
    /// What comes on the subscriptions.
    pub(super) receiver: Receiver,
    /// Whether the session itself ends every connection.
    poison: IncomingPoison,
    /// What the server of this connection takes.
    limits: ServerLimits,
    /// Whether what AWS has was never noted.
    knows_nothing: bool,
    /// What AWS has, and what it may have.
    confirmed: BTreeMap<String, u8>,
    /// What is on its way to the disk before anything else is asked for.
    noting: Option<oneshot::Receiver<Result<(), Failure>>>,
    /// Which wish for a filter was the last to be asked for.
    asked_for: HashMap<String, u64>,
    /// The SUBSCRIBE or UNSUBSCRIBE under way: one at a time, so that they cannot overtake each other.
    under_way: Option<UnderWay>,
    unwanted_since: HashMap<String, Instant>,
    refused: HashMap<String, Refused>,
    lines: Few,
    suspects: Suspects<String>,
}

#[derive(Debug)]
enum UnderWay {
    Subscribe(u16, Vec<(String, WantedFilter)>, Instant),
    Unsubscribe(u16, Vec<String>),
}

#[derive(Debug)]
struct Refused {
    until: Instant,
    /// How long that was.
    wait: Duration,
    why: Problem,
    wish: u64,
}

impl Subscriber {
    /// A subscriber to `wanted` that hands on to `arrive`.
    pub fn new(outbox: Outbox, wanted: watch::Receiver<Wanted>, arrive: mpsc::Sender<Arrival>) -> Self {
        Self {
            outbox,
            wanted,
            receiver: Receiver::new(arrive),
            poison: IncomingPoison::default(),
            limits: ServerLimits::default(),
            knows_nothing: false,
            confirmed: BTreeMap::new(),
            noting: None,
            asked_for: HashMap::new(),
            under_way: None,
            unwanted_since: HashMap::new(),
            refused: HashMap::new(),
            lines: Few::default(),
            suspects: Suspects::default(),
        }
    }

    /// What AWS has of an earlier start. Where that cannot be read, everything is asked for anew.
    pub(super) async fn remember(&mut self) {
        let noted = self.outbox.subscribed().await;
        self.knows_nothing = matches!(noted, Ok(None));
        self.confirmed = noted.ok().flatten().into_iter().flatten().collect();
    }

    /// Whether AWS is to forget the session: it may have filters that nobody here knows of, because the database is a new one,
    /// and messages would come that nobody gets and that count against AWS's limits; or what it has queued ends every
    /// connection.
    pub(super) fn wants_clean_start(&self) -> bool {
        self.knows_nothing || self.poison.clean_start_is_due()
    }

    /// A connection, on which AWS has the session of before or a new one. Returns the breach because of which the one of before
    /// was discarded, where it was.
    pub(super) async fn connected(&mut self, limits: ServerLimits) -> Option<ProtocolError> {
        self.limits = limits;
        let discarded = self.poison.connected(limits.session_present);
        self.suspects.connected();
        self.knows_nothing = false;
        if !limits.session_present {
            self.receiver.tell(Arrival::NewSession);
            self.confirmed.clear();
            self.asked_for.clear();
            self.noting = self.note().await;
        }
        discarded
    }

    /// An attempt to connect has failed.
    pub(super) fn not_reached(&mut self) {
        self.suspects.not_reached();
    }

    /// The connection is gone. `suspicious` if what was sent last may have been the reason.
    pub(super) fn disconnected(&mut self, suspicious: bool, lost: Option<&Lost>) {
        self.poison.disconnected(match lost {
            Some(Lost::Breach(breach)) => Some(*breach),
            _ => None,
        });
        let (filters, ago) = match self.under_way.take() {
            Some(UnderWay::Subscribe(_, filters, since)) => (filters, since.elapsed()),
            _ => (Vec::new(), Duration::ZERO),
        };
        for (filter, _) in &filters {
            self.confirmed.entry(filter.clone()).or_insert(UNCERTAIN);
        }
        let names: Vec<String> = filters.iter().map(|(filter, _)| filter.clone()).collect();
        if matches!(lost, Some(Lost::Unanswered)) && ago >= LATEST_ANSWER {
            if let Some(filter) = self.suspects.unanswered(names)
                && let Some((_, wish)) = filters.into_iter().next()
            {
                let why = words::filter_unanswered(&filter);
                self.refuse(filter, wish, REFUSED, why);
            }
        } else if suspicious {
            self.suspects.lost(names.into_iter(), ago);
        }
        self.receiver.disconnected();
    }

    /// Sends what is to be sent now.
    pub(super) async fn go_on(&mut self, connection: &mut Connection) {
        if self.under_way.is_some() || self.noting.is_some() {
            return;
        }
        let now = Instant::now();
        let wanted = self.wanted.borrow_and_update().clone();
        if self.suspects.quiet_until().is_some() {
            return;
        }
        let crowded = self.refused.len() > REMEMBERED;
        self.refused
            .retain(|filter, refused| wanted.contains_key(filter) || (refused.until > now && !crowded));
        self.unwanted_since.retain(|filter, _| !wanted.contains_key(filter));
        let mut filters = self.not_yet_subscribed(&wanted, now);
        filters.truncate(match self.suspects.one_at_a_time() {
            true => 1,
            false => MAX_FILTERS_PER_PACKET,
        });
        let new = filters
            .iter()
            .filter(|(filter, _)| !self.confirmed.contains_key(filter))
            .count();
        if self.confirmed.len() + new > MAX_FILTERS {
            // AWS ends a connection with more. What lingers makes room at once; what is wanted waits for that.
            return self.give_up(self.unwanted(&wanted), connection).await;
        }
        if !filters.is_empty() {
            let entries: Vec<(String, u8)> = filters
                .iter()
                .map(|(filter, wish)| (filter.clone(), wish.qos))
                .collect();
            match connection.subscribe(&entries) {
                Ok(packet_id) => self.under_way = Some(UnderWay::Subscribe(packet_id, filters, now)),
                Err(NotSent::Busy | NotSent::AtMostOnceOnly) => {}
                Err(NotSent::Never(why)) => {
                    for (filter, wish) in filters {
                        let why = Problem::configuration(format!("topic filter {filter}: {why}"));
                        self.refuse(filter, wish, REFUSED, why);
                    }
                }
            }
            return;
        }
        let filters = self.no_longer_wanted(&wanted, now);
        self.give_up(filters, connection).await;
    }

    /// Two steps: that AWS may not have them any more is on the disk before it is told so, because its answer may be lost.
    async fn give_up(&mut self, mut filters: Vec<String>, connection: &mut Connection) {
        filters.truncate(MAX_FILTERS_PER_PACKET);
        if filters.is_empty() {
            return;
        }
        let mut news = false;
        for filter in &filters {
            self.asked_for.remove(filter);
            news |= self.confirmed.insert(filter.clone(), UNCERTAIN) != Some(UNCERTAIN);
        }
        if news {
            self.noting = self.note().await;
        } else if let Ok(packet_id) = connection.unsubscribe(&filters) {
            self.under_way = Some(UnderWay::Unsubscribe(packet_id, filters));
        }
    }

    fn unwanted(&self, wanted: &Wanted) -> Vec<String> {
        let unwanted = self.confirmed.keys().filter(|filter| !wanted.contains_key(*filter));
        unwanted.cloned().collect()
    }

    fn not_yet_subscribed(&mut self, wanted: &Wanted, now: Instant) -> Vec<(String, WantedFilter)> {
        let mut filters = Vec::new();
        for (filter, wish) in wanted {
            if self.suspects.is_guilty(filter) {
                self.suspects.cleared(filter);
                self.refuse(filter.clone(), *wish, QUARANTINE, words::filter_drops(filter));
            }
            if let Some(refused) = self.refused.get_mut(filter).filter(|refused| refused.until > now) {
                // Whoever comes later is told at once what the others were told.
                if refused.wish < wish.asked {
                    refused.wish = wish.asked;
                    let why = refused.why.clone();
                    self.receiver.tell(Arrival::Refused(filter.clone(), why));
                }
                continue;
            }
            if let Some(why) = self.limits.filter_refusal(filter) {
                let why = Problem::configuration(format!("topic filter {filter}: {why}"));
                self.refuse(filter.clone(), *wish, REFUSED, why);
                continue;
            }
            let asked_for = self.asked_for.get(filter).copied().unwrap_or(0);
            match self.confirmed.get(filter) {
                Some(qos) if *qos != UNCERTAIN && *qos >= wish.qos => {
                    // One more program: AWS sends the retained message at each SUBSCRIBE, but for no wildcard.
                    let news = wish.joined > asked_for;
                    if news && is_wild(filter) {
                        self.asked_for.insert(filter.clone(), wish.joined);
                        self.receiver.tell(Arrival::Subscribed(filter.clone()));
                    } else if news {
                        filters.push((filter.clone(), *wish));
                    }
                }
                _ => filters.push((filter.clone(), *wish)),
            }
        }
        filters
    }

    fn no_longer_wanted(&mut self, wanted: &Wanted, now: Instant) -> Vec<String> {
        let mut filters = self.unwanted(wanted);
        filters.retain(|filter| {
            let since = *self.unwanted_since.entry(filter.clone()).or_insert(now);
            // What another one covers is of no use, and brings every message twice.
            let mut others = self.confirmed.keys().filter(|other| wanted.contains_key(*other));
            now >= since + LINGER || others.any(|other| topic::covers(other, filter))
        });
        filters
    }

    /// Returns when there may be something to do: programs want something else, a time has come, or messages were taken: those
    /// to acknowledge are returned. Cancel safe.
    pub(super) async fn something_to_do(&mut self) -> Vec<u16> {
        let times = self.unwanted_since.values().map(|since| *since + LINGER);
        let refused = self.refused.values().map(|refused| refused.until);
        let times = times.chain(refused.filter(|until| *until > Instant::now()));
        let next = self.suspects.quiet_until().or(times.min());
        // While AWS has not answered, no time changes anything.
        let next = next.filter(|_| self.under_way.is_none() && self.noting.is_none());
        let noting = &mut self.noting;
        tokio::select! {
            () = async { match noting { Some(noted) => drop(noted.await), None => pending().await } } => {
                // A disk that takes nothing keeps nobody subscribed: what is known here holds until the next start.
                self.noting = None;
                Vec::new()
            }
            changed = self.wanted.changed() => match changed {
                Ok(()) => Vec::new(),
                Err(_) => pending().await,
            },
            () = async { match next { Some(at) => sleep_until(at).await, None => pending().await } } => Vec::new(),
            taken = self.receiver.taken() => taken,
        }
    }

    /// AWS has answered a SUBSCRIBE.
    pub(super) async fn subscribed(&mut self, packet_id: u16, codes: &[ReasonCode], said: Option<String>) {
        let filters = match self.under_way.take() {
            Some(UnderWay::Subscribe(id, filters, _)) if id == packet_id => filters,
            other => return self.under_way = other,
        };
        for (index, (filter, wish)) in filters.into_iter().enumerate() {
            self.suspects.cleared(&filter);
            self.asked_for.insert(filter.clone(), wish.joined);
            match codes.get(index).copied().unwrap_or(ReasonCode::UNSPECIFIED_ERROR) {
                code if !code.is_failure() => {
                    log::debug!("session: subscribed to {filter}");
                    self.confirmed.insert(filter.clone(), wish.qos);
                    self.refused.remove(&filter);
                    self.receiver.tell(Arrival::Subscribed(filter));
                }
                code => {
                    self.confirmed.remove(&filter);
                    let reason = Reason {
                        code,
                        words: said.clone(),
                    };
                    let why = words::filter_refused(&filter, &reason);
                    self.refuse(filter, wish, REFUSED, why);
                }
            }
        }
        let _ = self.note().await;
    }

    fn refuse(&mut self, filter: String, wish: WantedFilter, least: Duration, why: Problem) {
        let before = self.refused.get(&filter).map(|refused| refused.wait);
        let wait = before.map_or(least, |before| least.max(before * 2).min(QUARANTINE));
        let write = |level, more: &str| {
            journal!(level, Event::FilterRefused, TOPIC = filter.as_str(); "session: {why}{more}");
        };
        match before {
            None => self.lines.one_more(write),
            Some(_) => write(Level::Debug, ""),
        }
        self.receiver.tell(Arrival::Refused(filter.clone(), why.clone()));
        let refused = Refused {
            until: Instant::now() + wait,
            wait,
            why,
            wish: wish.asked,
        };
        self.refused.insert(filter, refused);
    }

    /// AWS has answered an UNSUBSCRIBE.
    pub(super) async fn unsubscribed(&mut self, packet_id: u16) {
        match self.under_way.take() {
            Some(UnderWay::Unsubscribe(id, filters)) if id == packet_id => {
                for filter in filters {
                    log::debug!("session: unsubscribed from {filter}");
                    self.confirmed.remove(&filter);
                    self.unwanted_since.remove(&filter);
                }
                let _ = self.note().await;
            }
            other => self.under_way = other,
        }
    }

    /// What is returned comes when it is on the disk.
    async fn note(&self) -> Option<oneshot::Receiver<Result<(), Failure>>> {
        let confirmed = self.confirmed.iter().map(|(filter, qos)| (filter.clone(), *qos));
        self.outbox.note_subscribed(confirmed.collect()).await
    }
}
