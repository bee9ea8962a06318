//! Recognises configuration values that may be secrets, and must not be shown.
//!
//! Errs on the side of hiding: a value that is hidden by mistake can be looked up in the file, but one that is shown by mistake is in
//! the journal.

/// Longest run of base64 characters in a value that is no secret. AWS's secret access keys have 40, a line of a PEM file has 64.
const MAX_BASE64_RUN: usize = 39;
/// Longest run of hex digits in a value that is no secret. A machine ID and a UUID have 32, a SHA-1 digest has 40; a 256-bit key has 64.
const MAX_HEX_RUN: usize = 47;
/// Prefixes of the IDs of AWS's access keys and principals, before 16 more characters (IAM, "Unique identifiers").
const AWS_IDS: [&str; 8] = ["AKIA", "ASIA", "ABIA", "ACCA", "AIDA", "AROA", "AIPA", "ANPA"];
const AWS_ID_LENGTH: usize = 20;
/// Prefixes of other services' tokens, from their documentation.
const TOKEN_PREFIXES: [&str; 11] = [
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "hvs.",
    "age-secret-key-",
    "sk-",
    "npm_",
];
/// Minimum length of a token after its prefix.
const MIN_TOKEN: usize = 16;
/// Names whose values, after `=` or `:`, are secrets.
const SECRET_NAMES: [&str; 19] = [
    "pin",
    "pins",
    "pinval",
    "pinvalue",
    "pincode",
    "userpin",
    "sopin",
    "tokenpin",
    "tpmpin",
    "pass",
    "userpass",
    "passcode",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secretaccesskey",
    "sessiontoken",
];

/// Returns whether a value contains what looks like key material, a password or an access token.
pub fn may_be_secret(text: &str) -> bool {
    is_key_material(text)
        || has_base64(&unescaped(text))
        || has_base64url(text)
        || has_hex(text)
        || has_web_token(text)
        || has_aws_id(text)
        || has_token_prefix(text)
        || has_password_of_url(text)
        || has_assignment(text)
}

/// Returns whether a value contains a line of a PEM file, or base64 that is too long for a name.
pub fn is_key_material(text: &str) -> bool {
    has_armour(text) || has_base64(text)
}

/// Returns whether a value contains a line of a PEM file.
pub fn has_armour(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let marks = ["PRIVATE KEY", "-----BEGIN", "-----END"];
    marks.iter().any(|mark| upper.contains(mark))
}

/// Decodes the percent-encoded special characters of base64.
fn unescaped(text: &str) -> String {
    let pairs = [
        ("%2B", "+"),
        ("%2b", "+"),
        ("%2F", "/"),
        ("%2f", "/"),
        ("%3D", "="),
        ("%3d", "="),
    ];
    pairs
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn has_base64(text: &str) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let mut runs = text.as_bytes().split(|byte| !is_base64(byte));
    // A long path or topic rarely mixes digits, capitals and small letters.
    runs.any(|run| run.len() > MAX_BASE64_RUN && is_mixed(run))
}

/// Returns whether a value contains base64url. Such text switches between digits, capitals and small letters at nearly every step; names
/// made of words rarely do.
fn has_base64url(text: &str) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=".contains(byte);
    let mut runs = text.as_bytes().split(|byte| !is_part(byte));
    runs.any(|run| {
        let letters: Vec<u8> = run.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
        let changes = letters
            .iter()
            .zip(letters.iter().skip(1))
            .filter(|(one, next)| kind(**one) != kind(**next))
            .count();
        run.len() > MAX_BASE64_RUN && is_mixed(run) && changes * 5 > letters.len() * 2
    })
}

fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        _ => 2,
    }
}

/// Returns whether a run has digits, capitals and small letters.
fn is_mixed(run: &[u8]) -> bool {
    let has = |kind: fn(&u8) -> bool| run.iter().any(kind);
    has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
}

/// Returns whether a value contains a long run of hex digits, possibly in pairs separated by colons.
fn has_hex(text: &str) -> bool {
    let is_long = |run: &[u8]| {
        let digits = run.iter().filter(|byte| byte.is_ascii_hexdigit());
        digits.clone().count() > MAX_HEX_RUN && digits.clone().any(u8::is_ascii_digit)
    };
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
    text.as_bytes().split(|byte| !is_part(byte)).any(is_long)
}

/// Returns whether a value contains a JSON web token. Its header and claims are base64url of JSON objects, which begin with `eyJ` (RFC
/// 7519).
fn has_web_token(text: &str) -> bool {
    text.match_indices("eyJ").any(|(place, _)| {
        let rest = text.get(place..).unwrap_or_default();
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let header = rest.split(|letter| !is_part(letter)).next().unwrap_or_default();
        header.len() > 12 && rest.get(header.len()..).is_some_and(|after| after.starts_with('.'))
    })
}

fn has_aws_id(text: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
    let mut words = text.split(|letter| !is_part(letter));
    words.any(|word| word.len() >= AWS_ID_LENGTH && AWS_IDS.iter().any(|id| word.starts_with(id)))
}

fn has_token_prefix(text: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let mut words = text.split(|letter| !is_part(letter));
    words.any(|word| {
        let lower = word.to_ascii_lowercase();
        let rest = TOKEN_PREFIXES.iter().find_map(|prefix| lower.strip_prefix(prefix));
        rest.is_some_and(|rest| rest.len() >= MIN_TOKEN && rest.bytes().any(|byte| byte.is_ascii_digit()))
    })
}

/// Returns whether a value contains `user:password@host`, with or without a scheme. A password that was not percent-encoded may contain
/// any character.
fn has_password_of_url(text: &str) -> bool {
    let has_password = |userinfo: &str| {
        let password = userinfo.split_once(':').map(|(_, password)| password);
        password.is_some_and(|password| !password.is_empty())
    };
    let of_scheme = text.split_once("//").and_then(|(_, rest)| rest.rsplit_once('@'));
    if of_scheme.is_some_and(|(userinfo, _)| has_password(userinfo)) {
        return true;
    }
    text.match_indices('@').any(|(place, _)| {
        let before = text.get(..place).unwrap_or_default();
        let userinfo = before.rsplit([' ', '"', '\'']).next().unwrap_or_default();
        // A role's name in an ARN may contain an @.
        !userinfo.starts_with("arn:") && !userinfo.contains("//") && has_password(userinfo)
    })
}

/// Returns whether a value contains an assignment to a secret's name, such as `pin-value=...` or `password: ...`.
pub fn has_assignment(text: &str) -> bool {
    text.match_indices(['=', ':']).any(|(place, sign)| {
        let (before, after) = (
            text.get(..place).unwrap_or_default(),
            text.get(place + sign.len()..).unwrap_or_default(),
        );
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let name = before
            .trim_end_matches(['"', '\'', ' '])
            .rsplit(|letter| !is_part(letter))
            .next()
            .unwrap_or_default();
        let words = name.to_ascii_lowercase().replace(['-', '_'], " ");
        let joined = words.replace(' ', "");
        let is_secret = words
            .split(' ')
            .chain([joined.as_str()])
            .map(|word| word.trim_end_matches(|letter: char| letter.is_ascii_digit()))
            .any(|word| SECRET_NAMES.contains(&word) || word.ends_with("password"));
        is_secret && !after.trim_start_matches(['"', '\'', ' ', '=']).is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hosts_topics_and_paths_are_not_secrets() {
        for text in [
            "",
            "gw 1",
            "https://a1b2c3d4e5f6g7-ats.iot.us-east-2.amazonaws.com",
            "gw-0123456789abcdef0123456789abcdef.x",
            "123e4567-e89b-12d3-a456-426614174000",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "fleet/gateways/building/floor/sensors/temperature/raw",
            "$aws/things/{thing}/shadow/name/Configuration-Of-Sensors-In-Building-7/update/accepted",
            "Gateway-Building-7-Floor-3-Room-12-Sensor-4455-North",
            "/usr/lib/aarch64-linux-gnu/pkcs11/libtpm2_pkcs11.so",
            "user@a1.iot.example",
            "mqtts://user@a1.iot.example:8883",
            "a1.iot.example:8883",
            "[::1]:8883",
            "127.0.0.1:9911",
            "role@team,a=b",
            "arn:aws:iam::123456789012:role/fleet/reader@team",
            "https://est.example:8443/.well-known/est/fleet",
            "12:30 user@a1.iot.example",
            "pkcs11:token=gateway;object=device",
            "camera@2.service",
            "AKIA",
            "ASIA-PACIFIC-GATEWAYS-SINGAPORE",
            "sk-building-north-gateway",
            "60s",
            "token:gateway",
            "DOMAIN\\user",
        ] {
            assert!(!may_be_secret(text), "{text}");
        }
    }

    #[test]
    fn secrets_of_every_format_are_recognised() {
        for text in [
            "-----BEGIN PRIVATE KEY-----\\nMIGH\\n",
            "-----begin ec private key-----",
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "x-wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.y",
            "wJalrXUtnFEMI%2FK7MDENG%2FbPxRfiCYEXAMPLEKEY",
            "Zm9vYmFyLWJhei1xdXV4_Q3Jl4ZGVudGlhbC0tMTIz-Nzg5MA",
            "3f9a0c77e1b24d5886aa01c2d3e4f5a63f9a0c77e1b24d5886aa01c2d3e4f5a6",
            "3F9A0C77E1B24D5886AA01C2D3E4F5A63F9A0C77E1B24D5886AA01C2D3E4F5A6",
            "3f:9a:0c:77:e1:b2:4d:58:86:aa:01:c2:d3:e4:f5:a6:3f:9a:0c:77:e1:b2:4d:58:86:aa:01:c2:d3:e4:f5:a6",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJndyJ9.c2lnbmF0dXJl",
            "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJndyJ9.",
            "AKIAIOSFODNN7EXAMPLE",
            "key ASIAIOSFODNN7EXAMPLE!",
            "AROAIOSFODNN7EXAMPLE:session",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "glpat-x7Yt0Wg4Zr7Lm4Bq2Kd",
            "http://proxy:hunter2@10.0.0.1:3128",
            "https://user:p%40ss@a1.iot.example",
            "https://user:hun/ter2@a1.iot.example",
            "https://user:hun,ter2@a1.iot.example",
            "https://user:hun ter2@a1.iot.example",
            "https://user:hun@ter2@a1.iot.example",
            "https://user:hun\"ter2@a1.iot.example",
            "https://user:hun//ter2@a1.iot.example",
            "https://user:2/@a1.iot.example:8443/.well-known/est",
            "user:hun/ter2@host",
            "user:hun,ter2@host",
            "user:pass@host",
            "mqtts://gw:1@a1.iot.example:8883/topic",
            "pkcs11:token=gateway?pin-value=1234",
            "pkcs11:token=gateway;pin-value=1234",
            "PIN=1234",
            "{\"pin\": \"1234\"}",
            "password: hunter2",
            "aws_secret_access_key = x",
            "--userpin=1234",
            "PIN2: 1234",
            "pin_code=1234",
            "pin-val=1234",
            "so-pin=1234",
            "tpmPin=1234",
            "pass: hunter2",
            "adminPassword=hunter2",
            "passcode=1234",
        ] {
            assert!(may_be_secret(text), "{text}");
        }
    }
}
