//! The content of a credentials file.

use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::clock::rfc3339;
use crate::config::FileFormat;
use crate::credentials::Keys;

/// Bytes of a file besides its keys.
const FRAME: usize = 512;
/// The longest secret key and session token that the Kinesis Video Streams producer SDK reads (Include.h: MAX_SECRET_KEY_LEN,
/// MAX_SESSION_TOKEN_LEN). It cuts off longer ones without an error.
const KVSSINK_LIMITS: [(&str, usize); 2] = [("secret access key", 128), ("session token", 2048)];

/// Returns the content of a file with `keys`, which are valid until `expiration`.
///
/// # Errors
/// With the reason if the format cannot hold these keys.
pub fn content(format: FileFormat, keys: &Keys, expiration: SystemTime) -> Result<Zeroizing<String>, String> {
    let (id, secret, token) = (&keys.access_key_id, keys.secret_access_key(), keys.session_token());
    for (name, value) in [
        ("access key ID", id.as_str()),
        ("secret access key", secret),
        ("session token", token),
    ] {
        // Quoting differs between the programs that read these formats, so what would need it is not written.
        if value.is_empty() || !value.bytes().all(is_plain) {
            return Err(format!(
                "the {name} has characters that the format \"{}\" cannot hold",
                format.word()
            ));
        }
    }
    let expiration = rfc3339(expiration);
    // Allocated in full, because a buffer that grows leaves copies of secrets in memory.
    let mut text = Zeroizing::new(String::with_capacity(FRAME + id.len() + secret.len() + token.len()));
    let parts: &[&str] = match format {
        FileFormat::Aws => &[
            "# Written by gatepost, and replaced before ",
            &expiration,
            ".\n[default]\naws_access_key_id = ",
            id,
            "\naws_secret_access_key = ",
            secret,
            "\naws_session_token = ",
            token,
            "\n",
        ],
        FileFormat::Kvssink => {
            for ((name, limit), value) in KVSSINK_LIMITS.into_iter().zip([secret, token]) {
                if value.len() > limit {
                    return Err(format!(
                        "the {name} is longer than the {limit} characters that kvssink reads"
                    ));
                }
            }
            &["CREDENTIALS ", id, " ", &expiration, " ", secret, " ", token, "\n"]
        }
        FileFormat::Env => &[
            "# Written by gatepost, and replaced before ",
            &expiration,
            ".\nAWS_ACCESS_KEY_ID=",
            id,
            "\nAWS_SECRET_ACCESS_KEY=",
            secret,
            "\nAWS_SESSION_TOKEN=",
            token,
            "\nAWS_CREDENTIAL_EXPIRATION=",
            &expiration,
            "\n",
        ],
    };
    for part in parts {
        text.push_str(part);
    }
    Ok(text)
}

/// Returns whether no format needs to quote a character. AWS's keys and tokens are Base64.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_-.:,@%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::clock::manual::ManualClock;
    use crate::credentials::Credentials;

    use super::*;

    fn write(format: FileFormat, secret: &str, token: &str) -> Result<String, String> {
        let expiration = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let clock = ManualClock::at(1_799_999_000);
        let set = Credentials::received(
            "ASIAEXAMPLE",
            &secret.to_owned().into(),
            &token.to_owned().into(),
            expiration,
            &*clock,
        );
        content(format, set.keys(), expiration).map(|text| text.to_string())
    }

    #[test]
    fn each_format_is_as_its_programs_read_it() {
        for (format, text) in [
            (
                FileFormat::Aws,
                "# Written by gatepost, and replaced before 2027-01-15T08:00:00Z.\n[default]\naws_access_key_id = ASIAEXAMPLE\n\
                 aws_secret_access_key = a+b/c\naws_session_token = IQo//w==\n",
            ),
            (
                FileFormat::Kvssink,
                "CREDENTIALS ASIAEXAMPLE 2027-01-15T08:00:00Z a+b/c IQo//w==\n",
            ),
            (
                FileFormat::Env,
                "# Written by gatepost, and replaced before 2027-01-15T08:00:00Z.\nAWS_ACCESS_KEY_ID=ASIAEXAMPLE\n\
                 AWS_SECRET_ACCESS_KEY=a+b/c\nAWS_SESSION_TOKEN=IQo//w==\nAWS_CREDENTIAL_EXPIRATION=2027-01-15T08:00:00Z\n",
            ),
        ] {
            assert_eq!(write(format, "a+b/c", "IQo//w==").unwrap(), text);
        }
    }

    #[test]
    fn keys_that_a_format_cannot_hold_are_not_written() {
        for format in [FileFormat::Aws, FileFormat::Kvssink, FileFormat::Env] {
            for bad in [
                "", "a b", "a\nb", "a\"b", "a'b", "a\\b", "a#b", "a$b", "a;b", "a`b", "ä", "\0", "\t",
            ] {
                for (secret, token) in [(bad, "good"), ("good", bad)] {
                    let why = write(format, secret, token).unwrap_err();
                    assert!(why.contains("cannot hold") && !why.contains("good"), "{why}");
                }
            }
        }
        for (format, secret, token, fits) in [
            (FileFormat::Kvssink, 128, 2048, true),
            (FileFormat::Kvssink, 129, 2048, false),
            (FileFormat::Kvssink, 40, 2049, false),
            (FileFormat::Aws, 129, 4096, true),
            (FileFormat::Env, 129, 4096, true),
        ] {
            let outcome = write(format, &"s".repeat(secret), &"t".repeat(token));
            assert_eq!(outcome.is_ok(), fits, "{format:?} {secret} {token}");
        }
    }
}
