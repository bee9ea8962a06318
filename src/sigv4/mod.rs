//! Signs an HTTP request with AWS Signature Version 4, with header fields or as a presigned URL.
//!
//! AWS's own crate makes the signature. This module knows the variant that each service requires.

mod reserved;
mod url;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest, SignatureLocation,
    SigningInstructions, SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4::SigningParams;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::credentials::Credentials;

/// The longest validity of a presigned URL (SigV4, "X-Amz-Expires": 604800 s).
pub const LONGEST_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3600);
/// The SHA-256 of an empty body.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The value in place of the hash of an unsigned body (S3 API Reference, "Unsigned payload option").
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// The characters of a query parameter that are percent-encoded: all but the unreserved ones of RFC 3986.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request to be signed.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The service's signing name: `s3`, `sts`, `execute-api`.
    pub service: &'a str,
    /// The Region.
    pub region: &'a str,
    /// The method.
    pub method: &'a str,
    /// The whole URL.
    pub url: &'a str,
    /// The header fields to sign; Host is taken from the URL. The values of a repeated field are signed in their order, joined by
    /// commas (IAM User Guide, "Create a signed AWS API request").
    pub headers: Vec<(&'a str, &'a str)>,
    /// SHA-256 of the body in lower-case hex, or [`UNSIGNED_PAYLOAD`]; `None` for a request without a body.
    pub payload_hash: Option<&'a str>,
}

/// The reason why a request cannot be signed, as a sentence.
#[derive(Debug, PartialEq, Eq)]
pub struct SigningError(pub String);

impl Request<'_> {
    /// Signs the request, and returns the header fields to add.
    ///
    /// # Errors
    /// If the request is invalid.
    pub fn headers(&self, credentials: &Credentials, now: SystemTime) -> Result<Vec<(String, String)>, SigningError> {
        let signed = self.sign(credentials, now, None)?;
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Ok(signed.headers().map(own).collect())
    }

    /// Presigns the request, and returns the URL, which is valid for `expiry`.
    ///
    /// # Errors
    /// If the request is invalid.
    pub fn presign(
        &self,
        credentials: &Credentials,
        now: SystemTime,
        expiry: Duration,
    ) -> Result<String, SigningError> {
        let signed = self.sign(credentials, now, Some(expiry))?;
        let mut url = self.url.to_owned();
        for (name, value) in signed.params() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.extend([name, "="]);
            url.extend(utf8_percent_encode(value, PARAMETER));
        }
        Ok(url)
    }

    fn sign(
        &self,
        credentials: &Credentials,
        now: SystemTime,
        expiry: Option<Duration>,
    ) -> Result<SigningInstructions, SigningError> {
        self.check()?;
        let url = url::check(self.url).map_err(SigningError)?;
        reserved::check(&self.headers, &url, self.is_s3()).map_err(SigningError)?;
        let keys = credentials.keys();
        let identity = AwsCredentials::new(
            &keys.access_key_id,
            keys.secret_access_key(),
            Some(keys.session_token())
                .filter(|token| !token.is_empty())
                .map(str::to_owned),
            None,
            "gatepost",
        )
        .into();
        let settings = self.settings(expiry);
        let body = match self.payload_hash {
            // A request that is presigned for S3 may have any body, because its canonical request has no hash (S3 API Reference,
            // "Authenticating Requests: Using Query Parameters").
            _ if expiry.is_some() && self.is_s3() => SignableBody::UnsignedPayload,
            Some(UNSIGNED_PAYLOAD) => SignableBody::UnsignedPayload,
            Some(hash) => SignableBody::Precomputed(hash.to_owned()),
            None => SignableBody::Precomputed(EMPTY.to_owned()),
        };
        let unsignable = |error: &dyn std::fmt::Display| SigningError(format!("the request cannot be signed: {error}"));
        let request = SignableRequest::new(self.method, &*url, self.headers.iter().copied(), body)
            .map_err(|error| unsignable(&error))?;
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(now)
            .settings(settings)
            .build()
            .map_err(|error| unsignable(&error))?;
        let signed = aws_sigv4::http_request::sign(request, &parameters.into()).map_err(|error| unsignable(&error))?;
        Ok(signed.into_parts().0)
    }

    fn settings(&self, expiry: Option<Duration>) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if expiry.is_some() {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = expiry;
        }
        // S3 uses the path unchanged, and requires the payload's hash as a header field (S3 API Reference, "Authenticating
        // Requests: Using the Authorization Header").
        if self.is_s3() {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        // MQTT over WebSocket: the token follows the signature (AWS IoT developer guide, "Device communication protocols").
        if self.service == "iotdevicegateway" {
            settings.session_token_mode = SessionTokenMode::Exclude;
        }
        settings
    }

    fn is_s3(&self) -> bool {
        matches!(self.service, "s3" | "s3-object-lambda" | "s3-outposts" | "s3express")
    }

    /// Refuses mistakes that the crate accepts silently, or refuses without a helpful message.
    fn check(&self) -> Result<(), SigningError> {
        let wrong = |what: &str| Err(SigningError(what.to_owned()));
        let name =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !name(self.service) || !name(self.region) {
            return wrong("service and region are names like \"s3\" and \"us-east-2\"");
        }
        self.check_method()?;
        for (name, value) in &self.headers {
            let legal = hyper::header::HeaderName::from_bytes(name.as_bytes()).is_ok()
                && hyper::header::HeaderValue::from_str(value).is_ok();
            if !legal {
                return wrong("a header has a name or a value that HTTP does not allow");
            }
        }
        let hash = |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match self.payload_hash {
            Some(UNSIGNED_PAYLOAD) | None => Ok(()),
            Some(given) if hash(given) => Ok(()),
            Some(_) => wrong("payload_hash is neither a SHA-256 in lower-case hex nor \"UNSIGNED-PAYLOAD\""),
        }
    }

    /// Refuses a method that HTTP does not allow, or that a program would send in upper case although it was signed in lower case.
    ///
    /// # Errors
    /// With the method, and the expected form.
    pub fn check_method(&self) -> Result<(), SigningError> {
        let upper = self.method.to_ascii_uppercase();
        if hyper::Method::from_bytes(self.method.as_bytes()).is_err() {
            let message = format!("{:?} is not an HTTP method such as GET, PUT or POST", self.method);
            return Err(SigningError(message));
        }
        match upper == self.method {
            true => Ok(()),
            false => Err(SigningError(format!(
                "the method {:?} is not in capitals: write {upper}",
                self.method
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
