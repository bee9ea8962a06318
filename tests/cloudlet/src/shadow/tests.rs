//! Sequences of requests about a shadow, with the answers and the messages to subscribers.

use serde_json::{Value, json};

use super::{Operation, ShadowName, Shadows, carry_out, operation};

/// Returns the answer without times, and the ends of the topics of the published messages.
fn ask(shadows: &Shadows, verb: Operation, payload: &Value) -> (Value, Vec<&'static str>) {
    let name = ShadowName::new("gw-1", None).unwrap();
    let payload = match payload {
        Value::String(raw) => raw.clone(),
        document => document.to_string(),
    };
    match carry_out(shadows, &name, verb, payload.as_bytes()) {
        Ok(done) => {
            let news = done.news.iter().map(|(suffix, _)| *suffix).collect();
            (untimed(done.accepted), news)
        }
        Err(rejection) => (untimed(rejection.payload()), Vec::new()),
    }
}

fn untimed(mut document: Value) -> Value {
    let members = document.as_object_mut().unwrap();
    assert!(members.remove("timestamp").unwrap().is_u64());
    members.remove("metadata");
    document
}

#[test]
fn a_conversation_about_a_shadow() {
    use Operation::{Delete, Get, Update};
    let shadows = Shadows::default();
    let missing = json!({ "code": 404, "message": "No shadow exists with name: 'gw-1'" });
    let conflict = json!({ "code": 409, "message": "Version conflict", "clientToken": "t" });
    let steps: Vec<(Operation, Value, Value, &[&str])> = vec![
        (Get, json!(""), missing.clone(), &[]),
        (Delete, json!({}), missing.clone(), &[]),
        (
            Update,
            json!({ "state": { "desired": { "a": 1, "b": { "c": 2, "d": 3 } } }, "clientToken": "t" }),
            json!({ "state": { "desired": { "a": 1, "b": { "c": 2, "d": 3 } } }, "version": 1, "clientToken": "t" }),
            &["delta", "documents"],
        ),
        (
            Update,
            json!({ "state": { "reported": { "a": 1, "b": { "c": 2 } } }, "version": 1 }),
            json!({ "state": { "reported": { "a": 1, "b": { "c": 2 } } }, "version": 2 }),
            &["delta", "documents"],
        ),
        (
            Update,
            json!({ "state": {}, "version": 1, "clientToken": "t" }),
            conflict,
            &[],
        ),
        (
            Get,
            json!({ "clientToken": "g" }),
            json!({ "state": {
                "desired": { "a": 1, "b": { "c": 2, "d": 3 } },
                "reported": { "a": 1, "b": { "c": 2 } },
                "delta": { "b": { "d": 3 } },
            }, "version": 2, "clientToken": "g" }),
            &[],
        ),
        // null removes a value; an object without members is removed as well.
        (
            Update,
            json!({ "state": { "desired": { "b": { "c": null, "d": null } } } }),
            json!({ "state": { "desired": { "b": { "c": null, "d": null } } }, "version": 3 }),
            &["documents"],
        ),
        (
            Update,
            json!({ "state": { "reported": null } }),
            json!({ "state": { "reported": null }, "version": 4 }),
            &["delta", "documents"],
        ),
        (
            Get,
            json!({}),
            json!({ "state": { "desired": { "a": 1 }, "delta": { "a": 1 } }, "version": 4 }),
            &[],
        ),
        (Delete, json!({}), json!({ "version": 4 }), &[]),
        (Get, json!({}), missing, &[]),
        // The version continues.
        (
            Update,
            json!({ "state": { "reported": { "x": [1, null] } } }),
            json!({ "state": { "reported": { "x": [1, null] } }, "version": 5 }),
            &["documents"],
        ),
    ];
    for (number, (verb, request, answer, news)) in steps.into_iter().enumerate() {
        assert_eq!(
            ask(&shadows, verb, &request),
            (answer, news.to_vec()),
            "step {number}: {request}"
        );
    }
}

#[test]
fn faults_in_a_request_are_named() {
    let shadows = Shadows::default();
    let deep = |levels: usize| {
        let object = (0..levels).fold(json!(1), |inner, _| json!({ "x": inner }));
        json!({ "state": { "desired": object } })
    };
    for (request, code, message) in [
        (json!("{"), 400, "Invalid JSON"),
        (json!("[]"), 400, "Invalid JSON"),
        (json!({}), 400, "Missing required node: state"),
        (json!({ "state": 1 }), 400, "State node must be an object"),
        (
            json!({ "state": { "desired": [] } }),
            400,
            "Desired node must be an object",
        ),
        (
            json!({ "state": { "reported": 1 } }),
            400,
            "Reported node must be an object",
        ),
        (
            json!({ "state": { "other": {} } }),
            400,
            "State contains an invalid node",
        ),
        (json!({ "state": {}, "version": "1" }), 400, "Invalid version"),
        (json!({ "state": {}, "version": -1 }), 400, "Invalid version"),
        (json!({ "state": {}, "clientToken": 1 }), 400, "Invalid clientToken"),
        (
            json!({ "state": {}, "clientToken": "x".repeat(65) }),
            400,
            "Invalid clientToken",
        ),
        (deep(7), 400, "JSON contains too many levels of nesting; maximum is 6"),
        (
            json!({ "state": { "desired": { "x": "x".repeat(9000) } } }),
            413,
            "The payload exceeds the maximum size allowed",
        ),
    ] {
        let (answer, _) = ask(&shadows, Operation::Update, &request);
        assert_eq!((&answer["code"], &answer["message"]), (&json!(code), &json!(message)));
    }
    assert_eq!(ask(&shadows, Operation::Update, &deep(6)).0["version"], 1);
    let binary = carry_out(&shadows, &ShadowName::new("t", None).unwrap(), Operation::Get, b"\xff").unwrap_err();
    assert_eq!(binary.code, 415);
}

#[test]
fn only_requests_are_operations() {
    let classic = ShadowName::new("t", None);
    let named = ShadowName::new("t", Some("n"));
    for (topic, expected) in [
        ("$aws/things/t/shadow/get", classic.clone().zip(Some(Operation::Get))),
        (
            "$aws/things/t/shadow/update",
            classic.clone().zip(Some(Operation::Update)),
        ),
        ("$aws/things/t/shadow/delete", classic.zip(Some(Operation::Delete))),
        ("$aws/things/t/shadow/name/n/update", named.zip(Some(Operation::Update))),
        ("$aws/things/t/shadow/update/accepted", None),
        ("$aws/things/t/shadow/name/n", None),
        ("$aws/things/t/shadow/name/n/update/delta", None),
        ("$aws/things/t/shadow/put", None),
        ("$aws/things/a b/shadow/get", None),
        ("$aws/things//shadow/get", None),
        ("aws/things/t/shadow/get", None),
    ] {
        assert_eq!(operation(topic), expected, "{topic}");
    }
}
