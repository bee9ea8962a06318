//! POST and GET /topics/{topic}: publish, in the form of the AWS IoT data plane's HTTP publish, and subscribe.

mod publish;
mod subscribe;

pub use publish::post;
pub use subscribe::{acknowledge, delete, get, list};

use hyper::StatusCode;

use super::super::access::Permission;
use super::super::answer::ApiError;
use super::super::caller::Caller;
use super::super::view::ApiContext;
use crate::problem::Problem;
use crate::qos::Qos;
use crate::topic::{self, THING};

/// A thing name for checks where it is not known yet: the shortest there is.
const ANY_THING: &str = "t";

/// The topic or filter that a caller means: what is behind `/topics/`, with `{thing}` filled in, and the thing name.
async fn meant(shared: &ApiContext, segments: &[&str]) -> Result<(String, String), ApiError> {
    let thing = shared.thing.get().await.ok_or_else(|| {
        let messages = shared.board.messages.borrow().problem.clone();
        let why = messages.or_else(|| shared.board.obstacle());
        ApiError::not_ready(&why.unwrap_or_else(|| Problem::wait("this gateway's thing name is not known yet")))
    })?;
    let text = segments.join("/").replace(THING, &thing);
    Ok((text, thing))
}

/// Refuses a topic that AWS would not take, and a caller who may publish nothing.
pub fn check_publisher(shared: &ApiContext, caller: &Caller, segments: &[&str]) -> Result<(), ApiError> {
    let (text, thing) = (segments.join("/"), shared.thing.known());
    let known = thing.as_deref().unwrap_or(ANY_THING);
    let topic = filled(&text, known);
    topic::check_publish(&topic).map_err(ApiError::malformed)?;
    // Before the rules: their hint would name one that gives nothing.
    if topic::is_reserved(&topic, known, shared.presence_topic.borrow().as_deref()) {
        return Err(publish::reserved());
    }
    let text = thing.map_or_else(|| text.clone(), |thing| filled(&text, &thing));
    shared.authorize_any(caller, Permission::Publish(&text))
}

/// Refuses a filter that AWS would not take, and a caller who may subscribe to nothing.
pub fn check_subscriber(shared: &ApiContext, caller: &Caller, segments: &[&str]) -> Result<(), ApiError> {
    let (text, thing) = (segments.join("/"), shared.thing.known());
    topic::check_filter(&filled(&text, thing.as_deref().unwrap_or(ANY_THING))).map_err(ApiError::malformed)?;
    // A name that is not known stays a placeholder, which a rule may have as well.
    let text = thing.map_or_else(|| text.clone(), |thing| filled(&text, &thing));
    shared.authorize_any(caller, Permission::Subscribe(&text))
}

fn filled(text: &str, thing: &str) -> String {
    text.replace(THING, thing)
}

/// Asks the rules, notes the decision, and says what is missing where they say no.
fn allowed(shared: &ApiContext, caller: &Caller, permission: Permission, thing: &str) -> Result<(), ApiError> {
    shared.authorize(caller, permission, thing)
}

/// The quality of service as a caller writes it.
fn quality(text: &str) -> Result<Qos, ApiError> {
    match text {
        "0" => Ok(Qos::AtMostOnce),
        "1" => Ok(Qos::AtLeastOnce),
        _ => Err(ApiError::malformed(format!(
            "qos is \"{}\", and AWS IoT has 0 and 1",
            text.escape_debug()
        ))),
    }
}

fn truth(name: &str, text: &str) -> Result<bool, ApiError> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ApiError::malformed(format!("{name} is neither true nor false"))),
    }
}

fn too_many(code: &'static str, message: String) -> ApiError {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, message)
}
