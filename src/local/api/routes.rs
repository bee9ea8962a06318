//! The table of routes, and how a request finds its route.

use crate::local::http::ApiError;

/// The handlers of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// Returns credentials.
    Credentials,
    /// Returns the environment variables for the loopback listener.
    LoopbackEnv,
    /// Returns a token for a service outside AWS.
    Token,
    /// Signs a request.
    Sign,
    /// Returns the status.
    Status,
    /// Returns the metrics.
    Metrics,
    /// Returns the certificate signing request.
    Csr,
    /// Returns the log level.
    LogLevel,
    /// Sets the log level.
    SetLogLevel,
    /// Requests immediate attempts.
    Retry,
    /// Requests a new certificate.
    Renew,
    /// Reloads the configuration.
    Reload,
    /// Lists the messages of one state.
    ListOutbox,
    /// Returns a message.
    ShowMessage,
    /// Deletes messages.
    PurgeOutbox,
    /// Sends parked messages again.
    RetryOutbox,
    /// Publishes a message.
    Publish,
    /// Subscribes to messages.
    Subscribe,
    /// Lists durable subscriptions.
    ListSubscriptions,
    /// Deletes a durable subscription.
    DeleteSubscription,
    /// Acknowledges messages of a durable subscription.
    Acknowledge,
}

/// The availability of a route on the loopback listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLoopback {
    /// Not available.
    No,
    /// Available to callers with a token.
    WithToken,
    /// Available to every caller.
    Open,
}

/// A route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    method: &'static str,
    /// Segments of the path. `{name}` stands for one segment, `{name...}` at the end for any number of them.
    pattern: &'static str,
    /// The handler.
    pub handler: Handler,
    on_loopback: OnLoopback,
}

const fn route(method: &'static str, pattern: &'static str, handler: Handler, on_loopback: OnLoopback) -> Route {
    Route {
        method,
        pattern,
        handler,
        on_loopback,
    }
}

/// Every route. The first one that matches applies. Paths that are AWS's own (`/topics`) or Prometheus's (`/metrics`) have no
/// version.
const ROUTES: &[Route] = &[
    route("GET", "/v1/credentials", Handler::Credentials, OnLoopback::WithToken),
    route(
        "GET",
        "/v1/credentials/{alias}",
        Handler::Credentials,
        OnLoopback::WithToken,
    ),
    route("GET", "/v1/loopback", Handler::LoopbackEnv, OnLoopback::No),
    route("GET", "/v1/loopback/{alias}", Handler::LoopbackEnv, OnLoopback::No),
    route("GET", "/v1/token", Handler::Token, OnLoopback::WithToken),
    route("POST", "/v1/sign", Handler::Sign, OnLoopback::No),
    route("GET", "/v1/status", Handler::Status, OnLoopback::No),
    route("GET", "/v1/csr", Handler::Csr, OnLoopback::No),
    route("GET", "/v1/log-level", Handler::LogLevel, OnLoopback::No),
    route("POST", "/v1/log-level", Handler::SetLogLevel, OnLoopback::No),
    route("POST", "/v1/retry/{part...}", Handler::Retry, OnLoopback::No),
    route("POST", "/v1/renew", Handler::Renew, OnLoopback::No),
    route("POST", "/v1/reload", Handler::Reload, OnLoopback::No),
    route("GET", "/v1/outbox/queued", Handler::ListOutbox, OnLoopback::No),
    route("GET", "/v1/outbox/parked", Handler::ListOutbox, OnLoopback::No),
    route("GET", "/v1/outbox/{id}", Handler::ShowMessage, OnLoopback::No),
    route("DELETE", "/v1/outbox/{id}", Handler::PurgeOutbox, OnLoopback::No),
    route("POST", "/v1/outbox/{id}/retry", Handler::RetryOutbox, OnLoopback::No),
    route("GET", "/topics/{topic...}", Handler::Subscribe, OnLoopback::WithToken),
    route("POST", "/topics/{topic...}", Handler::Publish, OnLoopback::WithToken),
    route(
        "GET",
        "/subscriptions",
        Handler::ListSubscriptions,
        OnLoopback::WithToken,
    ),
    route(
        "DELETE",
        "/subscriptions/{name}",
        Handler::DeleteSubscription,
        OnLoopback::WithToken,
    ),
    route(
        "POST",
        "/subscriptions/{name}/ack",
        Handler::Acknowledge,
        OnLoopback::WithToken,
    ),
    route("GET", "/metrics", Handler::Metrics, OnLoopback::Open),
];

/// The listener that a request has come from, as far as it decides which routes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// The Unix socket: every route.
    Socket,
    /// The loopback listener, with a token.
    LoopbackWithToken,
    /// The loopback listener, without a token.
    LoopbackOpen,
}

impl ListenerKind {
    fn has(self, route: &Route) -> bool {
        match self {
            Self::Socket => true,
            Self::LoopbackWithToken => route.on_loopback == OnLoopback::WithToken,
            Self::LoopbackOpen => route.on_loopback == OnLoopback::Open,
        }
    }
}

/// A route with the values of its pattern's placeholders.
pub type Match<'a> = (&'static Route, Vec<&'a str>);

/// Finds the route of a request.
///
/// # Errors
/// 404 if the path has no resource, 405 if the resource does not have the method.
pub fn find_route<'a>(listener: ListenerKind, method: &str, segments: &[&'a str]) -> Result<Match<'a>, ApiError> {
    let mut methods: Vec<&str> = Vec::new();
    for route in ROUTES.iter().filter(|route| listener.has(route)) {
        let Some(values) = match_pattern(route.pattern, segments) else {
            continue;
        };
        if route.method == method {
            return Ok((route, values));
        }
        if !methods.contains(&route.method) {
            methods.push(route.method);
        }
    }
    match methods.is_empty() {
        true => Err(ApiError::not_found().hint(not_found_hint(listener, segments))),
        false => Err(ApiError::method_not_allowed(&methods.join(", "))),
    }
}

/// Returns whether the path has a resource on the listener, with whatever method.
pub fn has_resource(listener: ListenerKind, segments: &[&str]) -> bool {
    let mut routes = ROUTES.iter().filter(|route| listener.has(route));
    routes.any(|route| match_pattern(route.pattern, segments).is_some())
}

/// Matches a path, and returns the segments in the place of the pattern's placeholders.
fn match_pattern<'a>(pattern: &str, segments: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut values = Vec::new();
    let mut rest = segments.iter();
    for part in pattern.split('/').skip(1) {
        if part.ends_with("...}") {
            values.extend(rest);
            return Some(values);
        }
        let segment = rest.next()?;
        match part.starts_with('{') {
            true => values.push(*segment),
            false if part == *segment => {}
            false => return None,
        }
    }
    rest.next().is_none().then_some(values)
}

/// Lists the resources whose paths begin most like the requested one.
fn not_found_hint(listener: ListenerKind, segments: &[&str]) -> String {
    let common = |route: &&Route| {
        let parts = route.pattern.split('/').skip(1);
        parts
            .zip(segments)
            .take_while(|(part, segment)| part == *segment)
            .count()
    };
    let available = || ROUTES.iter().filter(|route| listener.has(route));
    let most = available().map(|route| common(&route)).max().unwrap_or_default();
    let mut patterns: Vec<&str> = Vec::new();
    for route in available().filter(|route| common(route) == most) {
        if !patterns.contains(&route.pattern) {
            patterns.push(route.pattern);
        }
    }
    let place = match listener {
        ListenerKind::Socket => "",
        ListenerKind::LoopbackWithToken | ListenerKind::LoopbackOpen => "on the loopback listener ",
    };
    format!("{place}there are {}", patterns.join(", "))
}

#[cfg(test)]
mod tests;
