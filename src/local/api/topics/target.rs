//! Resolves the topic or filter in a path, and parses the parameters that publish and subscribe share.

use crate::local::context::ApiContext;
use crate::local::http::ApiError;
use crate::problem::Problem;
use crate::qos::Qos;
use crate::topic::THING;

/// The shortest thing name, for checks while the actual one is unknown.
pub const PLACEHOLDER_THING: &str = "t";

/// A topic or filter without `{thing}`, and this gateway's thing name.
#[derive(Debug)]
pub struct Target {
    /// The topic or filter.
    pub text: String,
    /// The thing name.
    pub thing: String,
}

/// Replaces `{thing}` in the path behind `/topics/`. Waits for the thing name after a start.
///
/// # Errors
/// If the thing name is not known.
pub async fn resolve(context: &ApiContext, segments: &[&str]) -> Result<Target, ApiError> {
    let thing = context.thing_name.get().await.ok_or_else(|| {
        let messages = context.board.messages.borrow().problem.clone();
        let problem = messages.or_else(|| context.board.obstacle());
        let problem = problem.unwrap_or_else(|| Problem::wait("this gateway's thing name is not known yet"));
        ApiError::not_ready(&problem)
    })?;
    let text = segments.join("/").replace(THING, &thing);
    Ok(Target { text, thing })
}

/// Parses the parameter `qos`.
///
/// # Errors
/// If it is neither 0 nor 1.
pub fn parse_qos(text: &str) -> Result<Qos, ApiError> {
    match text {
        "0" => Ok(Qos::AtMostOnce),
        "1" => Ok(Qos::AtLeastOnce),
        _ => Err(ApiError::malformed(format!(
            "qos is \"{}\", and AWS IoT supports 0 and 1",
            text.escape_debug()
        ))),
    }
}
