//! POST and GET /topics/{topic}: publish, in the form of the AWS IoT data plane's HTTP publish, and subscribe.

mod publish;
mod subscribe;

pub use publish::post;
pub use subscribe::{acknowledge, delete, get, list};

use hyper::StatusCode;

use super::super::access::Wish;
use super::super::answer::Refusal;
use super::super::caller::Caller;
use super::super::view::Shared;
use crate::problem::Problem;
use crate::qos::Qos;
use crate::topic::{self, THING};

/// A thing name for checks where it is not known yet: the shortest there is.
const ANY_THING: &str = "t";

/// The topic or filter that a caller means: what is behind `/topics/`, with `{thing}` filled in, and the thing name.
async fn meant(shared: &Shared, segments: &[&str]) -> Result<(String, String), Refusal> {
    let thing = shared.thing.get().await.ok_or_else(|| {
        let messages = shared.board.messages.borrow().problem.clone();
        let why = messages.or_else(|| shared.board.obstacle());
        Refusal::not_ready(&why.unwrap_or_else(|| Problem::wait("this gateway's thing name is not known yet")))
    })?;
    let text = segments.join("/").replace(THING, &thing);
    Ok((text, thing))
}

/// Refuses a topic that AWS would not take, and a caller who may publish nothing.
pub fn check_publisher(shared: &Shared, caller: &Caller, segments: &[&str]) -> Result<(), Refusal> {
    let (text, thing) = (segments.join("/"), shared.thing.known());
    let known = thing.as_deref().unwrap_or(ANY_THING);
    let topic = filled(&text, known);
    topic::check_publish(&topic).map_err(Refusal::malformed)?;
    // Before the rules: their hint would name one that gives nothing.
    if topic::is_reserved(&topic, known, shared.presence_topic.borrow().as_deref()) {
        return Err(publish::reserved());
    }
    let text = thing.map_or_else(|| text.clone(), |thing| filled(&text, &thing));
    shared.authorize_any(caller, Wish::Publish(&text))
}

/// Refuses a filter that AWS would not take, and a caller who may subscribe to nothing.
pub fn check_subscriber(shared: &Shared, caller: &Caller, segments: &[&str]) -> Result<(), Refusal> {
    let (text, thing) = (segments.join("/"), shared.thing.known());
    topic::check_filter(&filled(&text, thing.as_deref().unwrap_or(ANY_THING))).map_err(Refusal::malformed)?;
    // A name that is not known stays a placeholder, which a rule may have as well.
    let text = thing.map_or_else(|| text.clone(), |thing| filled(&text, &thing));
    shared.authorize_any(caller, Wish::Subscribe(&text))
}

fn filled(text: &str, thing: &str) -> String {
    text.replace(THING, thing)
}

/// Asks the rules, notes the decision, and says what is missing where they say no.
fn allowed(shared: &Shared, caller: &Caller, wish: Wish, thing: &str) -> Result<(), Refusal> {
    shared.authorize(caller, wish, thing)
}

/// The quality of service as a caller writes it.
fn quality(text: &str) -> Result<Qos, Refusal> {
    match text {
        "0" => Ok(Qos::AtMostOnce),
        "1" => Ok(Qos::AtLeastOnce),
        _ => Err(Refusal::malformed(format!(
            "qos is \"{}\", and AWS IoT has 0 and 1",
            text.escape_debug()
        ))),
    }
}

fn truth(name: &str, text: &str) -> Result<bool, Refusal> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Refusal::malformed(format!("{name} is neither true nor false"))),
    }
}

fn too_many(code: &'static str, message: String) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, code, message)
}
