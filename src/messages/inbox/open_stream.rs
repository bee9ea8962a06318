//! Opens streams within the limits.

use std::collections::BTreeSet;
use std::rc::Rc;

use tokio::task::spawn_local;

use super::filters::MAX_FILTERS;
use super::state::InboxState;
use super::stream::{Stream, Subscription};
use super::subscriber::{SubscribeError, Subscriber};

/// Streams of one reader.
pub(super) const MAX_STREAMS_PER_READER: usize = 32;
/// All streams; half of the connections that the socket accepts.
pub(super) const MAX_STREAMS: usize = 256;

/// Opens a stream: of the durable subscription `durable_name`, or of new messages.
pub(super) fn open_stream(
    state: &Rc<InboxState>,
    subscriber: &Subscriber,
    durable_name: Option<&str>,
) -> Result<Subscription, SubscribeError> {
    let Subscriber {
        reader, filter, qos, ..
    } = subscriber;
    if durable_name.is_none() {
        check_filter_share(state, subscriber, None)?;
    }
    {
        let streams = state.streams.borrow();
        let of_reader = streams.iter().filter(|stream| stream.reader == *reader).count();
        if of_reader >= MAX_STREAMS_PER_READER || streams.len() >= MAX_STREAMS {
            return Err(SubscribeError::TooManyStreams(MAX_STREAMS_PER_READER));
        }
    }
    let sequence = state.opened_streams.get() + 1;
    state.opened_streams.set(sequence);
    let stream = Rc::new(Stream::new(filter, *qos, reader, durable_name, sequence));
    state.streams.borrow_mut().push(stream.clone());
    let desired = state.minimal_filters(None);
    if desired.len() > MAX_FILTERS && !state.desired.borrow().contains_key(filter) {
        state.streams.borrow_mut().retain(|known| !Rc::ptr_eq(known, &stream));
        return Err(SubscribeError::TooManyFilters(MAX_FILTERS));
    }
    state.publish_desired_filters(desired);
    if durable_name.is_none() {
        let (watched, weak) = (stream.clone(), Rc::downgrade(state));
        spawn_local(async move {
            if watched.watch_reader().await
                && let Some(state) = weak.upgrade()
            {
                state.cut_off(&watched);
            }
        });
    }
    let weak = Rc::downgrade(state);
    let on_drop = move |stream: &Rc<Stream>| {
        if let Some(state) = weak.upgrade() {
            state.remove_stream(stream);
        }
    };
    Ok(Subscription::new(stream, Box::new(on_drop)))
}

/// Checks that the reader may have one more filter, in addition to those of its streams and durable subscriptions other than
/// `name`.
pub(super) fn check_filter_share(
    state: &InboxState,
    subscriber: &Subscriber,
    name: Option<&str>,
) -> Result<(), SubscribeError> {
    let (streams, durable) = (state.streams.borrow(), state.durable.borrow());
    let of_reader = streams.iter().filter(|stream| {
        stream.reader == subscriber.reader && (name.is_none() || stream.durable_name.as_deref() != name)
    });
    let of_account = durable.iter().filter(|subscription| {
        subscription
            .owner
            .shares_account_with(&subscriber.owner, &subscriber.accounts)
            && Some(subscription.name.as_str()) != name
    });
    let mut filters: BTreeSet<&str> = of_reader.map(|stream| stream.filter.as_str()).collect();
    filters.extend(
        of_account
            .flat_map(|subscription| subscription.filters())
            .map(|(filter, _)| filter),
    );
    let clients = state.clients.borrow();
    let of_clients = clients.iter().filter(|client| *client.reader == *subscriber.reader);
    let of_clients: Vec<_> = of_clients.map(|client| client.filters.borrow()).collect();
    filters.extend(of_clients.iter().flat_map(|filters| filters.keys()).map(String::as_str));
    filters.insert(&subscriber.filter);
    match filters.len() > subscriber.max_filters {
        true => Err(SubscribeError::TooManyOfReader(subscriber.max_filters)),
        false => Ok(()),
    }
}
