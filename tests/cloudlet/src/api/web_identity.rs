//! Tokens for services outside AWS: STS's GetWebIdentityToken, and the issuer's OpenID Connect documents (IAM User Guide,
//! "Outbound identity federation").

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::failure::Failure;
use super::query::{Parameters, element};
use crate::Error;
use crate::access_keys::{AccessKey, Principal};
use crate::cloud::Cloud;

/// Limits of the request (AWS STS API Reference, GetWebIdentityToken).
const MAX_AUDIENCES: usize = 10;
const MAX_AUDIENCE: usize = 1000;
const DEFAULT_SECONDS: u64 = 300;
/// The key's ID in the header of a token and in the JWKS.
const KEY_ID: &str = "RSA_0";
const CONFIGURATION: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/.well-known/jwks.json";

/// Makes the result of GetWebIdentityToken.
pub(super) fn token(cloud: &Cloud, key: &AccessKey, parameters: &Parameters) -> Result<String, Failure> {
    let forbidden = |code: &'static str, message: String| Failure::new(StatusCode::FORBIDDEN, code, message);
    let invalid = |message: String| Failure::new(StatusCode::BAD_REQUEST, "ValidationError", message);
    let (is_enabled, is_allowed) = cloud
        .switches
        .get(|switches| (switches.web_identity_tokens, switches.allow_web_identity_tokens));
    let Principal::RoleSession { role_arn, .. } = &key.principal else {
        return Err(forbidden("AccessDenied", "Tokens are for roles here".to_owned()));
    };
    if !is_allowed {
        let message = format!("User: {role_arn} is not authorized to perform: sts:GetWebIdentityToken");
        return Err(forbidden("AccessDenied", message));
    }
    if !is_enabled {
        return Err(forbidden(
            "OutboundWebIdentityFederationDisabledException",
            "The outbound web identity federation feature is not enabled for this account".to_owned(),
        ));
    }
    let audiences: Vec<&str> = (1..=MAX_AUDIENCES + 1)
        .map_while(|number| parameters.get(&format!("Audience.member.{number}")))
        .collect();
    let is_legal = |audience: &&str| (1..=MAX_AUDIENCE).contains(&audience.chars().count());
    if !(1..=MAX_AUDIENCES).contains(&audiences.len()) || !audiences.iter().all(is_legal) {
        return Err(invalid("1 validation error detected at 'audience'".to_owned()));
    }
    if parameters.get("SigningAlgorithm") != Some("RS256") {
        return Err(invalid("Only RS256 is issued here".to_owned()));
    }
    let seconds = match parameters.get("DurationSeconds").map(str::parse) {
        None => DEFAULT_SECONDS,
        Some(Ok(seconds @ 60..=3600)) => seconds,
        Some(_) => return Err(invalid("1 validation error detected at 'durationSeconds'".to_owned())),
    };
    let now = cloud.now();
    let end = now + Duration::from_secs(seconds);
    if key.expires.is_some_and(|expires| end > expires) {
        let message = "The requested token duration would extend the session".to_owned();
        return Err(forbidden("SessionDurationEscalationException", message));
    }
    let claims = json!({
        "iss": issuer(cloud),
        "sub": role_arn,
        "aud": if let [only] = audiences.as_slice() { json!(only) } else { json!(audiences) },
        "iat": seconds_of(now),
        "exp": seconds_of(end),
        "jti": cloud.random_uuid().to_string(),
        "https://sts.amazonaws.com/": {
            "aws_account": cloud.account.read(|account| account.id().to_owned()),
            "principal_id": role_arn,
        },
    });
    let token = sign(cloud, &claims).map_err(|error| internal(&error))?;
    let end = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds_of(end)).unwrap_or_default());
    let expiration = end
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default();
    Ok(element("WebIdentityToken", &token) + &element("Expiration", &expiration))
}

/// Returns a document of the issuer, if the request is for one.
pub(super) fn document(cloud: &Cloud, head: &Parts) -> Option<Result<Response<Full<Bytes>>, Failure>> {
    let document = match (&head.method, head.uri.path()) {
        (&Method::GET, CONFIGURATION) => Ok(json!({
            "issuer": issuer(cloud),
            "jwks_uri": format!("{}{KEYS}", issuer(cloud)),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })),
        (&Method::GET, KEYS) => public_key(cloud).map_err(|error| internal(&error)),
        _ => return None,
    };
    Some(document.map(|document| Response::new(Full::from(document.to_string()))))
}

fn sign(cloud: &Cloud, claims: &serde_json::Value) -> Result<String, Error> {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID});
    let encode = |value: &serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", encode(&header), encode(claims));
    let key = key(cloud)?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .map_err(|_| Error::Tls("a token could not be signed".to_owned()))?;
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
}

fn public_key(cloud: &Cloud) -> Result<serde_json::Value, Error> {
    let public: PublicKeyComponents<Vec<u8>> = key(cloud)?.public().into();
    let encode = |number: &[u8]| BASE64URL_NOPAD.encode(number);
    Ok(json!({"keys": [{
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": encode(&public.n), "e": encode(&public.e),
    }]}))
}

/// Returns the issuer's key, which is generated with the first token by openssl, because ring cannot generate RSA keys.
fn key(cloud: &Cloud) -> Result<Arc<RsaKeyPair>, Error> {
    let mut known = cloud.web_identity_key.lock();
    if let Some(key) = &*known {
        return Ok(key.clone());
    }
    let made = Command::new("openssl")
        .args([
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-outform",
            "DER",
        ])
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io("openssl genpkey"))?;
    // Its DER is PKCS#1 or PKCS#8, depending on the version.
    let key = RsaKeyPair::from_pkcs8(&made.stdout)
        .or_else(|_| RsaKeyPair::from_der(&made.stdout))
        .map_err(|error| Error::Tls(format!("openssl genpkey: {error}")))?;
    let key = Arc::new(key);
    *known = Some(key.clone());
    Ok(key)
}

/// Returns the URL below which the issuer's documents are.
pub(super) fn issuer(cloud: &Cloud) -> String {
    format!("http://{}", cloud.endpoints.api)
}

fn seconds_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn internal(error: &Error) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", error.to_string())
}
