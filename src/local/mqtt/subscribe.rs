//! Handles SUBSCRIBE and UNSUBSCRIBE of clients. SUBACK waits for AWS's answer while the session is connected.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::client::Client;
use super::options::stored_filter;
use super::pending_suback::{Answer, PendingSuback};
use super::refusal::Refusal;
use super::topics::resolve_filter;
use crate::local::access::Permission;
use crate::messages::{FilterEvent, MAX_FILTERS, StoreError, Subscriber};
use crate::mqtt::packet::{Subscribe, Subscription, Unsubscribe};
use crate::mqtt::{Close, Granted, Property, ReasonCode};
use crate::qos::Qos;
use crate::status::SessionPhase;
use crate::topic::THING;

/// Maximum time that SUBACK waits for AWS's answer. After that the filter is granted; gatepost subscribes to it at AWS in any case.
const AWS_TIMEOUT: Duration = Duration::from_secs(5);

/// The reason string for a subscription with Retain As Published that is granted. It cannot be refused: every bridge has it.
const RETAIN_FLAG_REMARK: &str = "Retain As Published: AWS IoT clears the retain flag of all messages that it does not send because of a new subscription";

/// Filters that are handled in a row before other connections and HTTP requests get their turn: one packet may contain a thousand.
const FILTERS_PER_TURN: usize = 16;

impl Client {
    /// Handles SUBSCRIBE.
    pub(super) async fn subscribe(&mut self, subscribe: Subscribe) {
        let identifier = subscribe.properties.iter().find_map(|property| match property {
            Property::SubscriptionIdentifier(identifier) => Some(*identifier),
            _ => None,
        });
        let is_online = self.context.board.session.borrow().phase == SessionPhase::Connected;
        let mut pending = PendingSuback {
            packet_id: subscribe.packet_id,
            answers: Vec::new(),
            words: None,
            wants_retain_flag: subscribe
                .subscriptions
                .iter()
                .any(|subscription| subscription.options.retain_as_published),
            deadline: Instant::now() + AWS_TIMEOUT,
        };
        self.cost += u32::try_from(subscribe.subscriptions.len()).unwrap_or(u32::MAX);
        for (index, subscription) in subscribe.subscriptions.into_iter().enumerate() {
            if index % FILTERS_PER_TURN == FILTERS_PER_TURN - 1 {
                yield_now().await;
            }
            let shown = subscription.filter.clone();
            let qos = subscription.options.qos.min(Qos::AtLeastOnce);
            pending.answers.push(match self.add_filter(subscription, identifier) {
                Ok(filter) if is_online => Answer::Awaited(filter, qos),
                Ok(_) => Answer::Known(Ok(qos)),
                Err(refusal) => {
                    self.context
                        .mqtt
                        .log
                        .refuse_filter(&self.name(), &shown, &refusal.words);
                    pending.words.get_or_insert(refusal.words);
                    Answer::Known(Err(refusal.code))
                }
            });
        }
        if let Err(error) = self.store_session().await {
            // Without the disk the session would lose its subscriptions.
            let code = ReasonCode::UNSPECIFIED_ERROR;
            pending
                .answers
                .iter_mut()
                .for_each(|answer| *answer = Answer::Known(Err(code)));
            pending.words = Some(error.problem.message);
        }
        if let Some(session) = &mut self.session {
            session.subacks.push(pending);
        }
        self.answer_subscribes(Instant::now());
    }

    fn add_filter(&mut self, subscription: Subscription, identifier: Option<u32>) -> Result<String, Refusal> {
        let context = &self.context;
        let session = self.session.as_mut().ok_or_else(super::client::no_session)?;
        let thing = session.thing(context);
        let filter = resolve_filter(&subscription.filter, &thing)?;
        let permission = Permission::Subscribe(&filter);
        context.authorize(&session.caller, permission, &thing)?;
        let mut options = subscription.options;
        options.qos = options.qos.min(Qos::AtLeastOnce);
        let by_unit = context
            .access
            .borrow()
            .is_given_by_unit(&session.caller, permission, &thing);
        let subscriber = Subscriber {
            reader: session.caller.account(),
            owner: session.caller.owner(by_unit),
            accounts: context.access.borrow().accounts().clone(),
            filter: filter.clone(),
            qos: options.qos,
            max_filters: match context.may_do_everything(&session.caller) {
                true => MAX_FILTERS,
                false => MAX_FILTERS / 2,
            },
        };
        // A refusal leaves an earlier subscription to the same filter unchanged.
        let mut subscriptions = session.subscriptions.clone();
        let wants_retained = subscriptions.insert(filter.clone(), options, identifier);
        let stored = stored_filter(&filter, options, identifier);
        context
            .inbox
            .add_client_filter(&session.inbox, &subscriber, &stored, wants_retained)?;
        session.subscriptions = subscriptions;
        Ok(filter)
    }

    /// Handles UNSUBSCRIBE.
    pub(super) async fn unsubscribe(&mut self, unsubscribe: &Unsubscribe) {
        let Some(session) = &mut self.session else { return };
        let thing = session.thing(&self.context);
        let mut answers = Vec::new();
        self.cost += u32::try_from(unsubscribe.filters.len()).unwrap_or(u32::MAX);
        for (index, filter) in unsubscribe.filters.iter().enumerate() {
            if index % FILTERS_PER_TURN == FILTERS_PER_TURN - 1 {
                yield_now().await;
            }
            let filter = filter.replace(THING, &thing);
            let existed = session.subscriptions.remove(&filter);
            self.context.inbox.remove_client_filter(&session.inbox, &filter);
            answers.push(match existed {
                true => ReasonCode::SUCCESS,
                false => ReasonCode::NO_SUBSCRIPTION_EXISTED,
            });
        }
        if self.store_session().await.is_err() {
            answers.fill(ReasonCode::UNSPECIFIED_ERROR);
        }
        self.server.unsuback(unsubscribe.packet_id, &answers);
    }

    /// Stores the subscriptions of a session that outlives its connection.
    async fn store_session(&self) -> Result<(), StoreError> {
        let name = self.session.as_ref().and_then(|session| session.inbox.durable_name());
        match name {
            Some(name) => self.context.inbox.store_session(name).await,
            None => Ok(()),
        }
    }

    /// Handles events about filters. Returns the end of the connection if the client loses a filter that it was granted.
    pub(super) fn handle_filter_events(&mut self) -> Option<Close> {
        while let Some(event) = self.session.as_ref()?.inbox.next_event() {
            let (code, words) = match event {
                FilterEvent::Granted(filter) => {
                    self.answer_filter(&filter, None);
                    continue;
                }
                FilterEvent::Refused(filter, problem) => {
                    let refusal = Refusal::from(&problem);
                    self.context
                        .mqtt
                        .log
                        .refuse_filter(&self.name(), &filter, &refusal.words);
                    if let Some(session) = &mut self.session {
                        session.subscriptions.remove(&filter);
                    }
                    if self.answer_filter(&filter, Some(&refusal)) {
                        continue;
                    }
                    (refusal.code, refusal.words)
                }
                FilterEvent::NotAllowed(filter) => {
                    let words = format!("no access rule allows the subscription to {filter} any more");
                    (ReasonCode::NOT_AUTHORIZED, words)
                }
                FilterEvent::Unusable(problem) => (ReasonCode::UNSPECIFIED_ERROR, problem.message),
                FilterEvent::Deleted => {
                    let words = "the session was deleted".to_owned();
                    (ReasonCode::ADMINISTRATIVE_ACTION, words)
                }
            };
            self.context.mqtt.log.cut_client(&self.name(), &words);
            return Some(self.server.disconnect(code, Some(&words)));
        }
        None
    }

    /// Enters AWS's answer into the pending SUBACKs. Returns whether any of them changed.
    fn answer_filter(&mut self, filter: &str, refusal: Option<&Refusal>) -> bool {
        let Some(session) = &mut self.session else { return false };
        let mut was_awaited = false;
        for suback in &mut session.subacks {
            for answer in &mut suback.answers {
                if let Answer::Awaited(awaited, qos) = answer
                    && awaited == filter
                {
                    was_awaited = true;
                    *answer = Answer::Known(refusal.map_or(Ok(*qos), |refusal| Err(refusal.code)));
                    suback.words = suback.words.take().or(refusal.map(|refusal| refusal.words.clone()));
                }
            }
        }
        was_awaited
    }

    /// Sends the SUBACKs that are complete, or have waited for too long.
    pub(super) fn answer_subscribes(&mut self, now: Instant) {
        let Some(session) = &mut self.session else { return };
        for suback in session
            .subacks
            .extract_if(.., |suback| suback.is_complete() || suback.deadline <= now)
        {
            let granted = suback.answers.into_iter().map(|answer| match answer {
                Answer::Known(granted) => granted,
                Answer::Awaited(_, qos) => Ok(qos),
            });
            let granted: Vec<Granted> = granted.collect();
            let remark = suback.wants_retain_flag.then_some(RETAIN_FLAG_REMARK);
            self.server
                .suback(suback.packet_id, &granted, suback.words.as_deref().or(remark));
        }
    }

    /// Returns when the next SUBACK will have waited for too long.
    pub(super) fn suback_deadline(&self) -> Option<Instant> {
        let session = self.session.as_ref()?;
        session.subacks.iter().map(|suback| suback.deadline).min()
    }
}
