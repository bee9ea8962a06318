//! Wills: the messages that gatepost publishes for clients whose connection is lost.

use tokio::task::spawn_local;
use tokio::time::sleep;

use super::principal::Principal;
use super::publish::check_message;
use super::publish_queue::Submission;
use super::refusal::Refusal;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::messages::Message;
use crate::mqtt::DueWill;
use crate::mqtt::packet::{Publish, Will};
use crate::qos::Qos;

/// A will that is due now or after its delay.
#[derive(Clone)]
struct Publication {
    principal: Principal,
    will: Will,
}

/// Checks a will when the client connects.
///
/// # Errors
/// If no rule allows its topic, or AWS would not accept it.
pub(super) fn check_will(context: &ApiContext, caller: &Caller, will: &Will, thing: &str) -> Result<(), Refusal> {
    check_message(context, caller, will_as_publish(will), thing)
        .map(drop)
        .map_err(|refusal| Refusal::new(refusal.code, format!("its will: {}", refusal.words)))
}

/// Publishes a will after its delay, unless the session is resumed before.
pub(super) fn publish_due(principal: &Principal, due: DueWill) {
    let publication = Publication {
        principal: principal.clone(),
        will: *due.will,
    };
    if due.delay.is_zero() {
        return publish(&publication);
    }
    let at_once = publication.clone();
    let waiting = spawn_local(async move {
        sleep(due.delay).await;
        publish(&publication);
    });
    let publish_now = Box::new(move || publish(&at_once));
    let registry = &principal.context.mqtt.registry;
    registry.add_will(principal.key.as_ref().clone(), waiting, publish_now);
}

/// Publishes a will if the current rules allow its topic.
fn publish(publication: &Publication) {
    let Publication { principal, will } = publication;
    let Principal { context, caller, .. } = principal;
    let message: Message = match check_message(context, caller, will_as_publish(will), &principal.thing()) {
        Ok(message) => message,
        Err(refusal) => {
            let log = &context.mqtt.log;
            return log.refuse_message(&principal.name, &will.topic, &refusal.words);
        }
    };
    if will.qos == Qos::AtMostOnce {
        if !context.mqtt.qos0_queue.push(message, &principal.reader) {
            context.mqtt.log.drop_qos0("too many wait for the session");
        }
        return;
    }
    context.mqtt.publish_queue.push(Submission {
        message,
        account: principal.key.account.clone(),
        sequence: None,
        answer_to: None,
    });
}

fn will_as_publish(will: &Will) -> Publish {
    Publish {
        qos: will.qos,
        retain: will.retain,
        topic: will.topic.clone(),
        properties: will.properties.clone(),
        payload: will.payload.clone(),
        ..Publish::default()
    }
}
