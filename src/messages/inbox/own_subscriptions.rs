//! Subscriptions of gatepost itself, for a task on another thread.
//!
//! They are streams like those of programs, so AWS gets each filter only once, and every subscriber receives a message.

use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Inbox;
use super::delivery::{StreamEnd, StreamItem};
use super::filters::MAX_FILTERS;
use super::stream::Subscription;
use super::subscriber::{SubscribeError, Subscriber};
use crate::messages::message::Received;
use crate::messages::owner::Owner;
use crate::problem::Problem;
use crate::qos::Qos;
use crate::retry::RetryListener;

/// Delay after which a filter that could not be subscribed to is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// Maximum number of items that wait for the task.
const MAX_ITEMS: usize = 64;
/// Name of the reader, for the limits.
const READER: &str = "gatepost";

/// An item for the task.
#[derive(Debug)]
pub enum OwnItem {
    /// A message.
    Message(Arc<Received>),
    /// A filter cannot be subscribed to for now.
    Refused(Problem),
}

/// The end of the task.
#[derive(Debug)]
pub struct OwnSubscriber {
    /// The filters that the task wants.
    pub filters: watch::Sender<Vec<String>>,
    /// The items for the task.
    pub items: mpsc::Receiver<OwnItem>,
}

/// The end of the inbox.
#[derive(Debug)]
pub struct OwnSubscriptions {
    filters: watch::Receiver<Vec<String>>,
    items: mpsc::Sender<OwnItem>,
}

/// Creates both ends.
pub fn own_subscriptions() -> (OwnSubscriber, OwnSubscriptions) {
    let (filter_sender, filters) = watch::channel(Vec::new());
    let (items, item_receiver) = mpsc::channel(MAX_ITEMS);
    let subscriber = OwnSubscriber {
        filters: filter_sender,
        items: item_receiver,
    };
    (subscriber, OwnSubscriptions { filters, items })
}

impl OwnSubscriptions {
    /// Serves the subscriptions from the inbox until their task ends. An operator may end the delay after a failure by `requests`.
    pub async fn serve(self, inbox: Rc<Inbox>, mut requests: RetryListener) {
        let Self { mut filters, items } = self;
        let mut open: Vec<(String, Subscription)> = Vec::new();
        loop {
            let wanted = filters.borrow_and_update().clone();
            open.retain(|(filter, _)| wanted.contains(filter));
            let mut retry = None;
            for filter in &wanted {
                if open.iter().any(|(known, _)| known == filter) {
                    continue;
                }
                match inbox.subscribe(&subscriber(filter)) {
                    Ok(subscription) => open.push((filter.clone(), subscription)),
                    Err(why) => {
                        retry = Some(Instant::now() + RETRY);
                        if items.send(OwnItem::Refused(describe(filter, &why))).await.is_err() {
                            return;
                        }
                    }
                }
            }
            if forward(&mut open, &mut filters, &items, &mut requests, retry)
                .await
                .is_none()
            {
                return;
            }
        }
    }
}

/// Forwards items until the filters must be checked again; `None` once the task has ended.
async fn forward(
    open: &mut Vec<(String, Subscription)>,
    filters: &mut watch::Receiver<Vec<String>>,
    items: &mpsc::Sender<OwnItem>,
    requests: &mut RetryListener,
    mut retry: Option<Instant>,
) -> Option<()> {
    // Earlier requests were about earlier failures.
    requests.forget();
    loop {
        let due = async {
            match retry {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            changed = filters.changed() => return changed.ok(),
            () = due => return Some(()),
            () = requests.requested(), if retry.is_some() => return Some(()),
            (index, item) = next_item(open) => match item {
                Some(StreamItem::Message(delivery)) => items.send(OwnItem::Message(delivery.message)).await.ok()?,
                Some(StreamItem::End(StreamEnd::Refused(problem))) => {
                    open.remove(index);
                    retry = Some(Instant::now() + RETRY);
                    items.send(OwnItem::Refused(problem)).await.ok()?;
                }
                Some(StreamItem::End(_)) | None => {
                    open.remove(index);
                    retry.get_or_insert(Instant::now() + Duration::from_secs(1));
                }
            },
        }
    }
}

/// Returns the next item, and the index of its subscription.
async fn next_item(open: &mut [(String, Subscription)]) -> (usize, Option<StreamItem>) {
    poll_fn(|context| {
        for (index, (_, subscription)) in open.iter_mut().enumerate() {
            if let Poll::Ready(item) = subscription.poll_next(context) {
                return Poll::Ready((index, item));
            }
        }
        Poll::Pending
    })
    .await
}

fn subscriber(filter: &str) -> Subscriber {
    Subscriber {
        reader: READER.to_owned(),
        owner: Owner::Unknown(READER.to_owned()),
        accounts: Arc::default(),
        filter: filter.to_owned(),
        qos: Qos::AtLeastOnce,
        max_filters: MAX_FILTERS,
    }
}

fn describe(filter: &str, why: &SubscribeError) -> Problem {
    let reason = match why {
        SubscribeError::TooManyStreams(_) | SubscribeError::TooManyFilters(_) | SubscribeError::TooManyOfReader(_) => {
            "local programs use all the filters that AWS allows"
        }
        SubscribeError::Banned(_) | SubscribeError::Durable(_) | SubscribeError::Unusable(_) => "it is tried again",
    };
    Problem::wait(format!("gatepost cannot subscribe to {filter} for now: {reason}"))
}
