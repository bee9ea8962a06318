//! The examples of the developer guide, with their documented effects.

use serde_json::{Value, json};

use super::{ConnectAttributes, Context, Policy, Request, evaluate};
use crate::account::Thing;

/// Evaluates one policy. `arn:aws:iot:us-east-1:123456789012:` is left out of the resource.
fn allows(statements: &Value, context: &Context, action: &str, resource: &str) -> bool {
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    let policy = Policy::new("p", &document.to_string()).unwrap();
    let resource = format!("arn:aws:iot:us-east-1:123456789012:{resource}");
    let request = Request {
        action,
        resource: &resource,
    };
    evaluate(&[&policy], request, context).allowed
}

fn statement(effect: &str, action: &str, resource: &str) -> Value {
    let resource = match resource {
        "*" => "*".to_owned(),
        named => format!("arn:aws:iot:us-east-1:123456789012:{named}"),
    };
    json!({ "Effect": effect, "Action": [action], "Resource": [resource] })
}

fn on(effect: &str, operator: &str, key: &str, values: Value) -> Value {
    json!({ "Effect": effect, "Action": ["iot:Connect"], "Resource": "*", "Condition": { operator: { key: values } } })
}

const THING: &str = "${iot:Connection.Thing.ThingName}";

/// connect-policy, "MQTT persistent sessions policy examples": for each policy, whether a CONNECT is accepted that asks for nothing, a
/// persistent session, a will, and both.
#[test]
fn connect_attributes() {
    let attributes = |operator: &str, values: Value| on("Allow", operator, "iot:ConnectAttributes", values);
    let denied = |operator: &str, values: Value| on("Deny", operator, "iot:ConnectAttributes", values);
    let everything = statement("Allow", "iot:Connect", "*");
    let both = json!(["PersistentConnect", "LastWill"]);
    let all = "ForAllValues:StringEquals";
    for (says, statements, [plain, persistent, will, persistent_will]) in [
        (
            "allows connect with PersistentConnect",
            json!([attributes(all, json!(["PersistentConnect"]))]),
            [true, true, false, false],
        ),
        (
            "disallows PersistentConnect, other features are allowed",
            json!([attributes("ForAllValues:StringNotEquals", json!(["PersistentConnect"]))]),
            [true, false, true, false],
        ),
        (
            "the same expressed using StringEquals",
            json!([
                everything,
                denied("ForAnyValue:StringEquals", json!(["PersistentConnect"]))
            ]),
            [true, false, true, false],
        ),
        (
            "allows both, any other new feature is not allowed",
            json!([attributes(all, both.clone())]),
            [true, true, true, true],
        ),
        (
            "clean connect with or without LastWill",
            json!([attributes(all, json!(["LastWill"]))]),
            [true, false, true, false],
        ),
        (
            "only default features",
            json!([attributes(all, json!([]))]),
            [true, false, false, false],
        ),
        (
            "only with PersistentConnect, any new feature is allowed",
            json!([attributes("ForAnyValue:StringEquals", json!(["PersistentConnect"]))]),
            [false, true, false, true],
        ),
        (
            "must have both",
            json!([
                attributes(all, both),
                denied(all, json!(["PersistentConnect"])),
                denied(all, json!(["LastWill"])),
                denied(all, json!([])),
            ]),
            [false, false, false, true],
        ),
        (
            "must not have PersistentConnect but can have LastWill",
            json!([
                denied("ForAnyValue:StringEquals", json!(["PersistentConnect"])),
                attributes(all, json!(["LastWill"])),
            ]),
            [true, false, true, false],
        ),
        (
            "only with a LastWill of this topic",
            json!([on(
                "Allow",
                "ArnEquals",
                "iot:LastWillTopic",
                json!("arn:aws:iot:us-east-1:123456789012:topic/w")
            )]),
            [false, false, true, true],
        ),
        (
            "only with a LastWill of another topic",
            json!([on(
                "Allow",
                "ArnEquals",
                "iot:LastWillTopic",
                json!("arn:aws:iot:us-east-1:123456789012:topic/v")
            )]),
            [false, false, false, false],
        ),
        (
            "the article's unconditional Allow",
            json!([everything]),
            [true, true, true, true],
        ),
    ] {
        for (is_persistent, has_will, expected) in [
            (false, false, plain),
            (true, false, persistent),
            (false, true, will),
            (true, true, persistent_will),
        ] {
            let context = Context::for_tests("gw-1", None).connecting(ConnectAttributes {
                persistent: is_persistent,
                will_topic: has_will.then(|| "arn:aws:iot:us-east-1:123456789012:topic/w".to_owned()),
            });
            let allowed = allows(&statements, &context, "iot:Connect", "client/gw-1");
            assert_eq!(allowed, expected, "{says}: persistent {is_persistent}, will {has_will}");
        }
    }
}

/// pub-sub-policy and thing-policy-variables.
#[test]
fn topics_and_things() {
    let own = format!("topic/{THING}/*");
    let rooms = format!("topicfilter/{THING}/room*");
    for (page, statements, cases) in [
        (
            "pub-sub-policy, registered devices (5)",
            json!([statement("Allow", "iot:Publish", &own)]),
            vec![
                ("iot:Publish", "topic/gw-1/a", true),
                ("iot:Publish", "topic/gw-1/a/b", true),
                ("iot:Publish", "topic/gw-2/a", false),
                ("iot:Subscribe", "topicfilter/gw-1/a", false),
            ],
        ),
        (
            "pub-sub-policy, registered devices (6)",
            json!([statement("Allow", "iot:Subscribe", &rooms)]),
            vec![
                ("iot:Subscribe", "topicfilter/gw-1/room1", true),
                ("iot:Subscribe", "topicfilter/gw-1/room/#", true),
                ("iot:Subscribe", "topicfilter/gw-1/hall", false),
            ],
        ),
        (
            "pub-sub-policy, registered devices (4): + is literal",
            json!([statement("Allow", "iot:Subscribe", "topicfilter/some/+/topic")]),
            vec![
                ("iot:Subscribe", "topicfilter/some/+/topic", true),
                ("iot:Subscribe", "topicfilter/some/a/topic", false),
                ("iot:Subscribe", "topicfilter/some/#", false),
            ],
        ),
        (
            "pub-sub-policy, registered devices (9)",
            json!([
                statement("Allow", "iot:Publish", "topic/${iot:Thing.ThingName}/*"),
                statement("Deny", "iot:Publish", "topic/${iot:Thing.ThingName}/bar"),
            ]),
            vec![
                ("iot:Publish", "topic/gw-1/foo", true),
                ("iot:Publish", "topic/gw-1/bar", false),
                ("iot:Publish", "topic/gw-1/bar/a", true),
            ],
        ),
        (
            "thing-policy-variables: by type and attribute",
            json!([
                statement("Allow", "iot:Publish", "topic/${iot:Connection.Thing.ThingTypeName}/a"),
                statement(
                    "Allow",
                    "iot:Publish",
                    "topic/${iot:Connection.Thing.Attributes[site]}/a"
                ),
                statement(
                    "Allow",
                    "iot:Publish",
                    "topic/${iot:Connection.Thing.Attributes[floor]}/a"
                ),
            ]),
            vec![
                ("iot:Publish", "topic/gateway/a", true),
                ("iot:Publish", "topic/pune/a", true),
                // A variable that cannot be resolved stays unchanged, and the unchanged text does not match.
                ("iot:Publish", "topic//a", false),
                ("iot:Publish", "topic/x/a", false),
            ],
        ),
        (
            "basic-policy-variables: the client ID, and one character by ?",
            json!([statement("Allow", "iot:Publish", "topic/${iot:ClientId}/?")]),
            vec![
                ("iot:Publish", "topic/gw-1/a", true),
                ("iot:Publish", "topic/gw-1/ab", false),
            ],
        ),
        (
            "IAM User Guide, policy variables: characters that are none",
            json!([statement("Allow", "iot:Publish", "topic/${*}/${?}/${$}")]),
            vec![
                ("iot:Publish", "topic/*/?/$", true),
                ("iot:Publish", "topic/a/b/c", false),
            ],
        ),
    ] {
        let mut thing = Thing::new("gw-1");
        thing.thing_type = Some("gateway".to_owned());
        thing.attributes.insert("site".to_owned(), "pune".to_owned());
        let context = Context::for_tests("gw-1", None).with_thing(thing);
        for (action, resource, expected) in cases {
            let allowed = allows(&statements, &context, action, resource);
            assert_eq!(allowed, expected, "{page}: {action} on {resource}");
        }
    }
}

/// cert-policy-variables, including its limitations.
#[test]
fn certificate_attributes() {
    let organization = |values: Value| {
        json!([on(
            "Allow",
            "ForAllValues:StringEquals",
            "iot:Certificate.Subject.Organization.List",
            values
        )])
    };
    let long = "x".repeat(1025);
    let publish = |variable: &str| json!([statement("Allow", "iot:Publish", &format!("topic/{variable}"))]);
    for (says, subject, statements, request, expected) in [
        (
            "every organization is among the values",
            vec![("Organization", "Example Corp"), ("Organization", "AnyCompany")],
            organization(json!(["Example Corp", "AnyCompany"])),
            ("iot:Connect", "client/gw-1"),
            true,
        ),
        (
            "one is not",
            vec![("Organization", "Example Corp"), ("Organization", "Other")],
            organization(json!(["Example Corp", "AnyCompany"])),
            ("iot:Connect", "client/gw-1"),
            false,
        ),
        (
            "the first value by default",
            vec![("Country", "IN"), ("Country", "US")],
            publish("${iot:Certificate.Subject.Country}"),
            ("iot:Publish", "topic/IN"),
            true,
        ),
        (
            "another by its index",
            vec![("Country", "IN"), ("Country", "US")],
            publish("${iot:Certificate.Subject.Country.1}"),
            ("iot:Publish", "topic/US"),
            true,
        ),
        (
            "no value has that index",
            vec![("Country", "IN")],
            publish("${iot:Certificate.Subject.Country.1}"),
            ("iot:Publish", "topic/IN"),
            false,
        ),
        (
            "the guide's name for the state",
            vec![("State", "MH")],
            publish("${iot:Certificate.Subject.State}"),
            ("iot:Publish", "topic/MH"),
            true,
        ),
        (
            "a wildcard in an attribute is not replaced",
            vec![("CommonName", "*")],
            publish("${iot:Certificate.Subject.CommonName}"),
            ("iot:Publish", "topic/*"),
            false,
        ),
        (
            "neither is what is too long",
            vec![("CommonName", &long)],
            publish("${iot:Certificate.Subject.CommonName}"),
            ("iot:Publish", &format!("topic/{long}")),
            false,
        ),
        (
            "the names of all there are",
            vec![("CommonName", "gw-1")],
            json!([on(
                "Allow",
                "ForAnyValue:StringEquals",
                "iot:Certificate.AvailableKeys",
                json!(["iot:Certificate.Subject.CommonName"])
            )]),
            ("iot:Connect", "client/gw-1"),
            true,
        ),
    ] {
        let context = Context::for_tests("gw-1", None).with_subject(&subject);
        assert_eq!(allows(&statements, &context, request.0, request.1), expected, "{says}");
    }
}

/// IAM User Guide, condition operators.
#[test]
fn operators() {
    let client = "iot:ClientId";
    for (operator, key, values, expected) in [
        ("StringEquals", client, json!("gw-1"), true),
        ("StringEquals", client, json!(["gw-2", "gw-1"]), true),
        ("StringEquals", client, json!("gw-*"), false),
        ("StringEquals", client, json!("${iot:ClientId}"), true),
        ("StringEqualsIgnoreCase", client, json!("GW-1"), true),
        ("StringNotEquals", client, json!("gw-2"), true),
        ("StringNotEquals", client, json!(["gw-2", "gw-1"]), false),
        ("StringLike", client, json!("gw-?"), true),
        ("StringNotLike", client, json!("gw-*"), false),
        ("StringEquals", "aws:NoSuchKey", json!("x"), false),
        ("StringNotEquals", "aws:NoSuchKey", json!("x"), true),
        ("StringEqualsIfExists", "aws:NoSuchKey", json!("x"), true),
        ("StringEqualsIfExists", client, json!("x"), false),
        ("Null", "aws:NoSuchKey", json!("true"), true),
        ("Null", client, json!("true"), false),
        ("Null", client, json!(false), true),
        ("Bool", "iot:Connection.Thing.IsAttached", json!("true"), false),
        ("Bool", "iot:Connection.Thing.IsAttached", json!([false]), true),
        ("IpAddress", "aws:SourceIp", json!("127.0.0.0/8"), true),
        ("IpAddress", "aws:SourceIp", json!("127.0.0.1"), true),
        ("IpAddress", "aws:SourceIp", json!(["10.0.0.0/8", "::/0"]), false),
        ("IpAddress", "aws:SourceIp", json!("0.0.0.0/0"), true),
        ("NotIpAddress", "aws:SourceIp", json!("10.0.0.0/8"), true),
        (
            "DateGreaterThan",
            "aws:CurrentTime",
            json!("2020-01-01T00:00:00Z"),
            true,
        ),
        ("DateLessThanEquals", "aws:CurrentTime", json!("2020-01-01"), false),
        ("NumericLessThan", client, json!(5), false),
        ("ForAllValues:StringLike", client, json!("gw-*"), true),
        ("ForAnyValue:StringLike", "aws:NoSuchKey", json!("*"), false),
    ] {
        let statements = json!([on("Allow", operator, key, values.clone())]);
        let context = Context::for_tests("gw-1", None);
        let allowed = allows(&statements, &context, "iot:Connect", "client/gw-1");
        assert_eq!(allowed, expected, "{operator} {key} {values}");
    }
}

/// An explicit deny takes precedence, and a deny with an unresolved variable has no effect (thing-policy-variables: not replaced).
#[test]
fn an_unresolved_variable_matches_nothing() {
    let statements = json!([
        statement("Allow", "iot:Publish", "*"),
        statement("Deny", "iot:Publish", &format!("topic/{THING}/bar")),
    ]);
    let context = Context::for_tests("gw-1", None);
    assert!(allows(&statements, &context, "iot:Publish", "topic/gw-1/bar"));
    let alone = json!([statement("Allow", "iot:Connect", &format!("client/{THING}"))]);
    assert!(!allows(&alone, &context, "iot:Connect", "client/gw-1"));
    assert!(!allows(&alone, &context, "iot:Connect", "client/"));
}
