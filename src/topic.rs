//! MQTT topics within AWS IoT's limits.

/// AWS IoT: a topic has at most 256 bytes of UTF-8.
pub const MAX_BYTES: usize = 256;
/// AWS IoT: a topic has at most 7 slashes.
pub const MAX_SLASHES: usize = 7;

/// Checks a topic to publish to, once its placeholders are filled in.
///
/// # Errors
/// With the reason, when AWS would refuse it.
pub fn check_publish(topic: &str) -> Result<(), String> {
    let slashes = topic.bytes().filter(|byte| *byte == b'/').count();
    let reason = if topic.is_empty() {
        "is empty".to_owned()
    } else if topic.len() > MAX_BYTES {
        format!("has {} bytes, AWS IoT takes at most {MAX_BYTES}", topic.len())
    } else if slashes > MAX_SLASHES {
        format!("has {slashes} slashes, AWS IoT takes at most {MAX_SLASHES}")
    } else if topic.contains(['+', '#', '\0']) {
        "has a wildcard or a NUL".to_owned()
    } else {
        return Ok(());
    };
    Err(format!("the topic {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_at_and_over_the_limits() {
        let longest = "t".repeat(MAX_BYTES);
        let cases = [
            ("gw-1/gatepost/status", true),
            ("a/b/c/d/e/f/g/h", true),
            (longest.as_str(), true),
            ("", false),
            ("a/b/c/d/e/f/g/h/i", false),
            ("a/+/b", false),
            ("a/#", false),
            ("a\0b", false),
        ];
        for (topic, good) in cases {
            assert_eq!(check_publish(topic).is_ok(), good, "{topic:?}");
        }
        assert!(check_publish(&"t".repeat(MAX_BYTES + 1)).is_err());
    }
}
