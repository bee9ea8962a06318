use super::*;

fn job(id: &str) -> Job {
    Job {
        id: id.to_owned(),
        is_rotation: true,
        is_queued: true,
        has_ended: false,
        details: Details::new(),
    }
}

fn execution(id: &str, status: &str, operation: &str, details: Value) -> String {
    json!({ "timestamp": 1, "execution": {
        "jobId": id, "status": status, "jobDocument": { "operation": operation }, "statusDetails": details, "versionNumber": 2,
    } })
    .to_string()
}

#[test]
fn each_message_is_read_as_what_it_is() {
    let queued = execution("j-1", "QUEUED", OPERATION, Value::Null);
    let started = execution(
        "j-1",
        "IN_PROGRESS",
        OPERATION,
        json!({ "certificateRotationProgress": "started", "n": 1 }),
    );
    let mut under_way = Job {
        is_queued: false,
        ..job("j-1")
    };
    under_way.details = [("certificateRotationProgress", "started"), ("n", "1")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let other = Job {
        is_rotation: false,
        ..job("j-2")
    };
    let ended = Job {
        has_ended: true,
        is_queued: false,
        ..job("j-1")
    };
    let text = str::to_owned;
    for (topic, payload, expected) in [
        (
            "$aws/things/gw/jobs/notify-next",
            queued.as_str(),
            Some(Incoming::Next(Some(job("j-1")))),
        ),
        (
            "$aws/things/gw/jobs/notify-next",
            "{\"timestamp\":1}",
            Some(Incoming::Next(None)),
        ),
        (
            "$aws/things/gw/jobs/$next/get/accepted",
            &queued,
            Some(Incoming::Next(Some(job("j-1")))),
        ),
        (
            "$aws/things/gw/jobs/$next/get/accepted",
            "{}",
            Some(Incoming::Next(None)),
        ),
        ("$aws/things/gw/jobs/$next/get/rejected", "{}", None),
        (
            "$aws/things/gw/jobs/j-1/get/accepted",
            &started,
            Some(Incoming::Described(under_way)),
        ),
        ("$aws/things/gw/jobs/j-1/get/accepted", "{}", None),
        (
            "$aws/things/gw/jobs/j-1/get/rejected",
            "not json",
            Some(Incoming::NotDescribed(text("j-1"))),
        ),
        (
            "$aws/things/gw/jobs/j-1/update/accepted",
            "",
            Some(Incoming::Updated(text("j-1"))),
        ),
        (
            "$aws/things/gw/jobs/j-1/update/rejected",
            "",
            Some(Incoming::NotUpdated(text("j-1"))),
        ),
        (
            "awslabs/things/gw/certificate/create/accepted",
            "{\"certificatePem\":\"pem\"}",
            Some(Incoming::Created(text("pem"))),
        ),
        (
            "awslabs/things/gw/certificate/create/accepted",
            "{\"certificatePem\":7}",
            None,
        ),
        ("awslabs/things/gw/certificate/create/accepted", "{}", None),
        (
            "awslabs/things/gw/certificate/create/rejected",
            "{\"errorMsg\":\"Pre-conditions not met\"}",
            Some(Incoming::NotCreated(text("Pre-conditions not met"))),
        ),
        (
            "awslabs/things/gw/certificate/create/rejected",
            "<html>",
            Some(Incoming::NotCreated(text("no reason given"))),
        ),
        (
            "awslabs/things/gw/certificate/commit/accepted",
            "{}",
            Some(Incoming::Committed),
        ),
        (
            "awslabs/things/gw/certificate/commit/rejected",
            "{}",
            Some(Incoming::NotCommitted(text("no reason given"))),
        ),
        // Messages that the gateway itself has sent, or that are for others.
        ("awslabs/things/gw/certificate/create", "{}", None),
        ("awslabs/things/gw2/certificate/commit/accepted", "{}", None),
        ("$aws/things/gw2/jobs/notify-next", &queued, None),
        ("$aws/things/gw/jobs/notify", &queued, None),
        ("$aws/things/gw/shadow/get/accepted", "{}", None),
        ("$aws/things/gw/jobs/notify-next", "[", None),
        (
            "$aws/things/gw/jobs/notify-next",
            &execution("j-1/get", "QUEUED", OPERATION, Value::Null),
            None,
        ),
        (
            "$aws/things/gw/jobs/notify-next",
            &execution("", "QUEUED", OPERATION, Value::Null),
            None,
        ),
        (
            "$aws/things/gw/jobs/notify-next",
            &execution("j-2", "QUEUED", "REBOOT", Value::Null),
            Some(Incoming::Next(Some(other))),
        ),
        (
            "$aws/things/gw/jobs/j-1/get/accepted",
            &execution("j-1", "CANCELED", OPERATION, Value::Null),
            Some(Incoming::Described(ended.clone())),
        ),
        (
            "$aws/things/gw/jobs/j-1/get/accepted",
            &execution("j-1", "TIMED_OUT", OPERATION, Value::Null),
            Some(Incoming::Described(ended)),
        ),
    ] {
        assert_eq!(read("gw", topic, payload.as_bytes()), expected, "{topic} {payload}");
    }
}

#[test]
fn the_filters_match_every_answer_and_no_request() {
    let filters = filters("gw");
    let is_wanted = |topic: &str| filters.iter().any(|filter| crate::topic::matches(filter, topic));
    for topic in [
        "$aws/things/gw/jobs/notify-next",
        "$aws/things/gw/jobs/$next/get/accepted",
        "$aws/things/gw/jobs/j/get/rejected",
        "$aws/things/gw/jobs/j/update/accepted",
        "awslabs/things/gw/certificate/create/accepted",
        "awslabs/things/gw/certificate/commit/rejected",
    ] {
        assert!(is_wanted(topic), "{topic}");
    }
    for topic in [
        describe_topic("gw", "j"),
        update_topic("gw", "j"),
        rotator_topic("gw", "create"),
    ] {
        assert!(!is_wanted(&topic), "{topic}");
    }
}

#[test]
fn the_details_of_the_end_serve_both_versions_of_the_backend() {
    let known: Details = [
        ("certificateRotationProgress", "committed"),
        ("oldCertificateId", "a"),
        ("newCertificateId", "b"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    assert!(is_committed(&known) && !is_committed(&Details::new()));
    let ended: Value = serde_json::from_str(&end_payload(&known, None)).unwrap();
    assert_eq!(
        ended,
        json!({ "status": "SUCCEEDED", "statusDetails": {
            "certificateRotationProgress": "committed", "oldCertificateId": "a", "newCertificateId": "b", "CertificateRotator": "true",
        } })
    );
    let long = "é".to_owned() + &"x".repeat(2000);
    let many: Details = (0..10).map(|n| (format!("d{n}"), "v".to_owned())).collect();
    let ended: Value = serde_json::from_str(&end_payload(&many, Some(&long))).unwrap();
    let details = ended["statusDetails"].as_object().unwrap();
    assert_eq!((ended["status"].as_str(), details.len()), (Some("FAILED"), MAX_DETAILS));
    assert_eq!(details["DeviceFailureReason"].as_str().map(str::len), Some(MAX_DETAIL));
    assert_eq!(
        start_payload(),
        r#"{"status":"IN_PROGRESS","statusDetails":{"certificateRotationProgress":"started"}}"#
    );
}
