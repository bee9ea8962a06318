//! The figures of a fleet's life.

use cloudlet::{Event, JitpStep};

use super::member::Member;

/// Prints the figures of a life.
pub fn report(events: &[Event], members: &[Member], (broker, est): (u64, u64), messages: u64) {
    let count = |is_wanted: fn(&Event) -> bool| events.iter().filter(|event| is_wanted(event)).count();
    let registered = count(|event| {
        matches!(
            event,
            Event::Jitp {
                step: JitpStep::Registered,
                ..
            }
        )
    });
    let failed = count(|event| {
        matches!(
            event,
            Event::Jitp {
                step: JitpStep::Failed { .. },
                ..
            }
        )
    });
    let connects = count(|event| matches!(event, Event::Connected { .. }));
    let requests: u64 = members.iter().map(|member| member.requests).sum();
    let kills: u64 = members.iter().map(|member| member.kills).sum();
    assert_eq!(failed, 0, "just-in-time provisioning");
    eprintln!(
        "{} gateways: {registered} certificates, {connects} connections, {requests} local requests, {messages} messages; \
         killed: gateways {kills} times, the broker {broker}, the EST server {est}",
        members.len()
    );
}
