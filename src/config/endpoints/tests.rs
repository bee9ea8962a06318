//! Endpoints as people configure them, right and wrong.

use crate::config::test_files::{MINIMUM, load};

#[test]
fn an_endpoint_of_another_kind_region_or_port_is_refused_or_doubted() {
    let data = "a1-ats.iot.us-east-2.amazonaws.com";
    let credentials = "c4.credentials.iot.us-east-2.amazonaws.com";
    let is_refused = |data: &str, other: &str, words: &'static str| (data.to_owned(), other.to_owned(), Err(words));
    let is_noted = |data: &str, other: &str, words: &'static str| (data.to_owned(), other.to_owned(), Ok(words));
    for (mqtt, provider, expected) in [
        is_noted(data, credentials, ""),
        is_noted(&format!("{data}:443"), credentials, ""),
        is_noted(&format!(" {data}\\n"), credentials, ""),
        is_noted("iot.example.com", "keys.example.com", ""),
        is_refused(
            credentials,
            data,
            "aws.mqtt-endpoint: \"c4.credentials.iot.us-east-2.amazonaws.com\" is the credentials provider's endpoint",
        ),
        is_refused(
            credentials,
            data,
            "is the MQTT endpoint; `aws iot describe-endpoint --endpoint-type iot:CredentialProvider` prints yours",
        ),
        is_refused("iot.us-east-2.amazonaws.com", credentials, "AWS IoT's API"),
        is_refused(
            "PREFIX-ats.iot.us-east-2.amazonaws.com",
            credentials,
            "is the sample's placeholder",
        ),
        is_refused(
            "your-endpoint-ats.iot.us-east-2.amazonaws.com",
            credentials,
            "has an example's placeholder",
        ),
        is_refused(
            &format!("{data}:1883"),
            credentials,
            "does not answer on port 1883 there; leave the port out",
        ),
        is_refused(&format!("{data}:8443"), credentials, "or give 8883 or 443"),
        is_refused(
            data,
            &format!("{credentials}:8443"),
            "does not answer on port 8443 there",
        ),
        is_refused(
            "a1-ats.iot.cn-north-1.amazonaws.com",
            credentials,
            "end in amazonaws.com.cn",
        ),
        is_refused(
            "a1_ats.iot.us-east-2.amazonaws.com",
            credentials,
            "it has an underscore",
        ),
        is_noted("a1.iot.us-east-2.amazonaws.com", credentials, "is the legacy endpoint"),
        is_noted(
            "a1-ats.iot.us-west-2.amazonaws.com",
            credentials,
            "its Region is us-east-2, and that of aws.mqtt-endpoint us-west-2",
        ),
        is_noted(
            "a1.ats.iot.cn-north-1.amazonaws.com.cn",
            credentials,
            "it is in the partition aws, and aws.mqtt-endpoint in aws-cn",
        ),
        is_noted(
            "iot.example.com:1883",
            credentials,
            "port 1883 is by convention MQTT without TLS",
        ),
        is_noted(
            "data-ats.iot.us-east-2.amazonaws.com",
            credentials,
            "lacks the account's own prefix",
        ),
        is_noted(
            "a1-ats.iot.us-esat-2.amazonaws.com",
            credentials,
            "\"us-esat-2\" is not a Region of AWS that",
        ),
        is_noted(
            "a1-ats.iot.us-east-2.amazonaws.org",
            credentials,
            "ends in amazonaws.org, which",
        ),
    ] {
        let text = MINIMUM
            .replace(credentials, "PROVIDER")
            .replace(data, &mqtt)
            .replace("PROVIDER", &provider);
        match (load(&text, &[]), expected) {
            (Ok(config), Ok("")) => assert_eq!(config.notes, Vec::<String>::new(), "{mqtt} {provider}"),
            (Ok(config), Ok(words)) => {
                let notes = config.notes.join("\n");
                assert!(notes.contains(words), "{mqtt} {provider}: {notes}");
            }
            (Err(faults), Err(words)) => assert!(faults.contains(words), "{mqtt} {provider}: {faults}"),
            (outcome, _) => panic!("{mqtt} {provider}: is it accepted? {}", outcome.is_ok()),
        }
    }
}
