//! Recognises host names that resemble an AWS endpoint: mistyped, truncated, or in someone else's domain.

use super::spelling::is_near;

/// The domain of most endpoints, without the top-level domain.
const AMAZONAWS: &str = "amazonaws";
/// Letters that are easily mistaken for others.
const LETTERS_ALIKE: [(&str, &str); 4] = [("vv", "w"), ("rn", "m"), ("0", "o"), ("1", "l")];

/// Describes how a host name outside AWS's domains resembles an AWS endpoint; `None` if it does not.
pub(super) fn describe(host: &str) -> Option<String> {
    let labels: Vec<&str> = host.split('.').collect();
    let owner = |from: usize| labels.get(from..).unwrap_or_default().join(".");
    if let Some(place) = labels.iter().position(|label| *label == AMAZONAWS) {
        let is_cut = place + 1 == labels.len();
        return Some(match (is_cut, labels.get(place + 1)) {
            (false, Some(&"com")) => format!(
                "continues after amazonaws.com, so it belongs to the owner of {}",
                owner(place + 2)
            ),
            (false, _) => format!("ends in {}, which is not an AWS domain", owner(place)),
            (true, _) => "ends before the last part of AWS's domain".to_owned(),
        });
    }
    let reads_like = |label: &&&str| {
        let read = LETTERS_ALIKE
            .iter()
            .fold((**label).to_owned(), |text, (from, to)| text.replace(from, to));
        is_near(AMAZONAWS, label) || is_near(AMAZONAWS, &read)
    };
    if let Some(label) = labels.iter().find(reads_like) {
        return Some(format!("has \"{label}\" where AWS's names have \"{AMAZONAWS}\""));
    }
    has_form_of_endpoint(&labels).then(|| {
        format!(
            "has the form of AWS's names, and ends in {}",
            owner(labels.len().saturating_sub(2))
        )
    })
}

/// Returns whether a name has the form `PREFIX-ats.iot.REGION...` or `PREFIX.credentials.iot.REGION...`, which only AWS uses.
fn has_form_of_endpoint(labels: &[&str]) -> bool {
    let Some(place) = labels.iter().position(|label| matches!(*label, "iot" | "iot-fips")) else {
        return false;
    };
    let before = place.checked_sub(1).and_then(|before| labels.get(before));
    let is_region = labels
        .get(place + 1)
        .is_some_and(|region| super::aws_name::is_region(region));
    is_region && before.is_some_and(|label| label.ends_with("-ats") || matches!(*label, "credentials" | "ats" | "jobs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_resemble_aws_are_distinguished_from_custom_domains() {
        for (host, words) in [
            ("a1-ats.iot.us-east-2.amazonaws.co", Some("ends in amazonaws.co, which")),
            (
                "a1-ats.iot.us-east-2.amazonaws.org",
                Some("ends in amazonaws.org, which"),
            ),
            ("a1-ats.iot.us-east-2.amazonaws", Some("ends before the last part")),
            (
                "a1-ats.iot.us-east-2.amazonaws.com.evil.com",
                Some("belongs to the owner of evil.com"),
            ),
            (
                "a1-ats.iot.us-east-2.amazonaws.com.br",
                Some("belongs to the owner of br"),
            ),
            ("a1-ats.iot.us-east-2.amazonaws.comm", Some("ends in amazonaws.comm")),
            ("a1-ats.iot.us-east-2.amazonavvs.com", Some("has \"amazonavvs\"")),
            ("a1-ats.iot.us-east-2.arnazonaws.com", Some("has \"arnazonaws\"")),
            ("a1-ats.iot.us-east-2.amaz0naws.com", Some("has \"amaz0naws\"")),
            ("a1-ats.iot.us-east-2.amazonws.com", Some("has \"amazonws\"")),
            ("a1-ats.iot.us-east-2.amazon.com", Some("has the form of AWS's names")),
            ("a1-ats.iot.us-east-2.aws.com", Some("ends in aws.com")),
            ("c4.credentials.iot.eu-west-1.example.com", Some("ends in example.com")),
            ("a1.ats.iot.cn-north-1.example.cn", Some("ends in example.cn")),
            ("iot.example.com", None),
            ("mqtt.iot.eu-west-1.example.com", None),
            ("gateway-ats.example.com", None),
            ("credentials.example.com", None),
            ("localhost", None),
            ("amazonia.example.com", None),
        ] {
            let found = describe(host);
            assert_eq!(found.is_some(), words.is_some(), "{host}: {found:?}");
            assert!(found.unwrap_or_default().contains(words.unwrap_or_default()), "{host}");
        }
    }
}
