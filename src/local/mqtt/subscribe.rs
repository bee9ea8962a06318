//! Handles SUBSCRIBE and UNSUBSCRIBE of clients. SUBACK waits for AWS's answer while the session is connected.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::filters::ClientFilters;
use super::options::stored_filter;
use super::pending_suback::{Answer, PendingSuback, PendingSubacks};
use super::principal::Principal;
use super::refusal::Refusal;
use super::topics::resolve_filter;
use crate::local::access::Permission;
use crate::messages::{ClientInbox, FilterEvent, MAX_FILTERS, StoreError, Subscriber};
use crate::mqtt::packet::{Subscribe, Subscription, Unsubscribe};
use crate::mqtt::{Close, Property, ReasonCode, Server};
use crate::qos::Qos;
use crate::status::SessionPhase;
use crate::topic::THING;

/// Maximum time that SUBACK waits for AWS's answer. After that the filter is granted; gatepost subscribes to it at AWS in any case.
const AWS_TIMEOUT: Duration = Duration::from_secs(5);

/// Filters that are handled in a row before other connections and HTTP requests get their turn: one packet may contain a thousand.
const FILTERS_PER_TURN: usize = 16;

/// The subscriptions of a connected client, and its end of the inbox.
pub(super) struct ClientSubscriptions {
    pub(super) inbox: ClientInbox,
    pub(super) filters: ClientFilters,
    pub(super) subacks: PendingSubacks,
}

impl ClientSubscriptions {
    pub(super) fn new(inbox: ClientInbox, filters: ClientFilters) -> Self {
        Self {
            inbox,
            filters,
            subacks: PendingSubacks::default(),
        }
    }

    /// Handles SUBSCRIBE. Its SUBACK is added to those that are pending.
    pub(super) async fn subscribe(&mut self, subscribe: Subscribe, principal: &Principal) {
        let context = &principal.context;
        let identifier = subscribe.properties.iter().find_map(|property| match property {
            Property::SubscriptionIdentifier(identifier) => Some(*identifier),
            _ => None,
        });
        let is_online = context.board.session.borrow().phase == SessionPhase::Connected;
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
        for (index, subscription) in subscribe.subscriptions.into_iter().enumerate() {
            if index % FILTERS_PER_TURN == FILTERS_PER_TURN - 1 {
                yield_now().await;
            }
            let shown = subscription.filter.clone();
            let qos = subscription.options.qos.min(Qos::AtLeastOnce);
            pending
                .answers
                .push(match self.add_filter(subscription, identifier, principal) {
                    Ok(filter) if is_online => Answer::Awaited(filter, qos),
                    Ok(_) => Answer::Known(Ok(qos)),
                    Err(refusal) => {
                        let log = &context.mqtt.log;
                        log.refuse_filter(&principal.name, &shown, &refusal.words);
                        pending.words.get_or_insert(refusal.words);
                        Answer::Known(Err(refusal.code))
                    }
                });
        }
        if let Err(error) = self.store(principal).await {
            // Without the disk the session would lose its subscriptions.
            pending.answers.fill(Answer::Known(Err(ReasonCode::UNSPECIFIED_ERROR)));
            pending.words = Some(error.problem.message);
        }
        self.subacks.push(pending);
    }

    /// Adds a filter, if a rule allows it. Returns it as AWS knows it.
    fn add_filter(
        &mut self,
        subscription: Subscription,
        identifier: Option<u32>,
        principal: &Principal,
    ) -> Result<String, Refusal> {
        let Principal { context, caller, .. } = principal;
        let thing = principal.thing();
        let filter = resolve_filter(&subscription.filter, &thing)?;
        let permission = Permission::Subscribe(&filter);
        context.authorize(caller, permission, &thing)?;
        let mut options = subscription.options;
        options.qos = options.qos.min(Qos::AtLeastOnce);
        let by_unit = context.access.borrow().is_given_by_unit(caller, permission, &thing);
        let subscriber = Subscriber {
            reader: caller.account(),
            owner: caller.owner(by_unit),
            accounts: context.access.borrow().accounts().clone(),
            filter: filter.clone(),
            qos: options.qos,
            max_filters: match context.may_do_everything(caller) {
                true => MAX_FILTERS,
                false => MAX_FILTERS / 2,
            },
        };
        let subscriptions = &mut self.filters.subscriptions;
        let wants_retained = subscriptions.wants_retained(&filter, options.retain_handling);
        let stored = stored_filter(&filter, options, identifier);
        // A refusal leaves an earlier subscription to the same filter unchanged.
        context
            .inbox
            .add_client_filter(&self.inbox, &subscriber, &stored, wants_retained)?;
        subscriptions.insert(filter.clone(), options, identifier);
        Ok(filter)
    }

    /// Handles UNSUBSCRIBE. Returns the answer for each filter.
    pub(super) async fn unsubscribe(&mut self, unsubscribe: &Unsubscribe, principal: &Principal) -> Vec<ReasonCode> {
        let thing = principal.thing();
        let mut answers = Vec::new();
        for (index, filter) in unsubscribe.filters.iter().enumerate() {
            if index % FILTERS_PER_TURN == FILTERS_PER_TURN - 1 {
                yield_now().await;
            }
            let filter = filter.replace(THING, &thing);
            let existed = self.filters.subscriptions.remove(&filter);
            principal.context.inbox.remove_client_filter(&self.inbox, &filter);
            answers.push(match existed {
                true => ReasonCode::SUCCESS,
                false => ReasonCode::NO_SUBSCRIPTION_EXISTED,
            });
        }
        if self.store(principal).await.is_err() {
            answers.fill(ReasonCode::UNSPECIFIED_ERROR);
        }
        answers
    }

    /// Stores the subscriptions of a session that outlives its connection.
    async fn store(&self, principal: &Principal) -> Result<(), StoreError> {
        match self.inbox.durable_name() {
            Some(name) => principal.context.inbox.store_session(name).await,
            None => Ok(()),
        }
    }

    /// Handles events about filters. Returns the end of the connection if the client loses a filter that it was granted.
    pub(super) fn handle_events(&mut self, principal: &Principal, server: &mut Server) -> Option<Close> {
        let log = &principal.context.mqtt.log;
        while let Some(event) = self.inbox.next_event() {
            let (code, words) = match event {
                FilterEvent::Granted(filter) => {
                    self.subacks.enter(&filter, None);
                    continue;
                }
                FilterEvent::Refused(filter, problem) => {
                    let refusal = Refusal::from(&problem);
                    log.refuse_filter(&principal.name, &filter, &refusal.words);
                    self.filters.subscriptions.remove(&filter);
                    if self.subacks.enter(&filter, Some(&refusal)) {
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
            log.cut_client(&principal.name, &words);
            return Some(server.disconnect(code, Some(&words)));
        }
        None
    }
}
