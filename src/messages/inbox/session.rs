//! Reacts to what the session reports about AWS's subscriptions.

use std::rc::Rc;

use super::clients;
use super::delivery::StreamEnd;
use super::filters::has_wildcard;
use super::state::InboxState;
use super::stream::Stream;
use crate::problem::Problem;
use crate::topic;

/// Starts over after AWS has begun a new session: messages in between are lost, so all subscriptions receive retained messages
/// again.
pub(super) fn start_session(state: &InboxState) {
    state.session_is_new.set(true);
    state.granted.borrow_mut().clear();
    state.restart_durable();
    clients::start_session(state);
    for stream in state.streams.borrow().iter() {
        stream.confirmed.set(None);
    }
    state.update_desired_filters();
}

/// Records that AWS has accepted the subscription to a filter.
pub(super) fn confirm_filter(state: &InboxState, filter: &str) {
    let now = state.clock.boot();
    state.refused.borrow_mut().remove(filter);
    state.granted.borrow_mut().insert(filter.to_owned());
    // AWS sends retained messages only for filters without wildcards. A filter with wildcards that this one covers receives
    // none, so it is confirmed as well.
    let is_confirmed = |stream: &&Rc<Stream>| {
        stream.filter == filter || (has_wildcard(&stream.filter) && topic::covers(filter, &stream.filter))
    };
    for stream in state.streams.borrow().iter().filter(is_confirmed) {
        stream.confirmed.set(stream.confirmed.get().or(Some(now)));
    }
    let durable = state.durable.borrow();
    for subscription in durable
        .iter()
        .filter(|subscription| subscription.filters().any(|(other, _)| other == filter))
    {
        if let Some(started) = state.started.borrow_mut().get_mut(&subscription.name) {
            started.confirmed = started.confirmed.or(Some(now));
        }
    }
    drop(durable);
    clients::confirm(state, filter);
    state.update_desired_filters();
}

/// Ends the streams of a filter that AWS has refused. AWS may accept a narrower filter, so the filters that this one covered
/// are requested individually from now on.
pub(super) fn refuse_filter(state: &InboxState, filter: &str, why: &Problem) {
    state.refused.borrow_mut().insert(filter.to_owned());
    state.granted.borrow_mut().remove(filter);
    clients::refuse(state, filter, why);
    for stream in state.streams.borrow().iter().filter(|stream| stream.filter == filter) {
        stream.end(StreamEnd::Refused(why.clone()));
    }
    state.remove_ended_streams();
    state.update_desired_filters();
}
