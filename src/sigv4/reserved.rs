//! Refuses header fields and parameters that the signature adds itself. If the request already had them, it would be sent with
//! duplicates, and AWS would refuse it.

use percent_encoding::percent_decode_str;

/// The header fields of a signature (IAM User Guide, "Create a signed AWS API request").
const HEADERS: [&str; 3] = ["authorization", "x-amz-date", "x-amz-security-token"];
/// The header field with the hash of the body, which the signature adds for S3.
const S3_HEADER: &str = "x-amz-content-sha256";
/// The parameters of a presigned URL (IAM User Guide, "Create a signed AWS API request", query parameters).
const PARAMETERS: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// Refuses a request that has one of these fields or parameters.
pub(super) fn check(headers: &[(&str, &str)], url: &str, is_s3: bool) -> Result<(), String> {
    for (name, _) in headers {
        let is = |reserved: &str| name.eq_ignore_ascii_case(reserved);
        if let Some(reserved) = HEADERS.into_iter().find(|reserved| is(reserved)) {
            return Err(format!(
                "the signature adds the header field {reserved} itself: leave it out"
            ));
        }
        if is_s3 && is(S3_HEADER) {
            return Err(format!(
                "the signature adds the header field {S3_HEADER} itself: give the hash as payload_hash"
            ));
        }
    }
    let hosts = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    if hosts.count() > 1 {
        return Err("the header field host is there twice: a request has one".to_owned());
    }
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let names = query.split('&').filter_map(|parameter| parameter.split('=').next());
    for name in names {
        let name = percent_decode_str(name).decode_utf8_lossy();
        if let Some(reserved) = PARAMETERS
            .into_iter()
            .find(|reserved| name.eq_ignore_ascii_case(reserved))
        {
            return Err(format!(
                "the url has the parameter {reserved}, which only a signature adds: leave it out (expires gives a presigned URL)"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn fields_of_the_signature_are_refused() {
        for (headers, query, is_s3, refused) in [
            (&[][..], "", false, None),
            (&[("range", "bytes=0-9"), ("date", "x"), ("host", "h")], "", true, None),
            (&[("X-Amz-Date", "20261130T000000Z")], "", false, Some("x-amz-date")),
            (
                &[("x-amz-date", "1"), ("x-amz-date", "2")],
                "",
                false,
                Some("x-amz-date"),
            ),
            (&[("Authorization", "Basic x")], "", false, Some("authorization")),
            (&[("x-amz-SECURITY-token", "x")], "", true, Some("x-amz-security-token")),
            (&[("x-amz-content-sha256", "x")], "", true, Some("payload_hash")),
            (&[("x-amz-content-sha256", "x")], "", false, None),
            (&[("host", "a"), ("Host", "b")], "", false, Some("host is there twice")),
            (&[("x-amz-meta-a", "1"), ("x-amz-meta-a", "2")], "", true, None),
            (&[], "?X-Amz-Expires=60", true, Some("X-Amz-Expires")),
            (
                &[],
                "?a=b&X-Amz-Expires=60&X-Amz-Expires=70",
                true,
                Some("X-Amz-Expires"),
            ),
            (&[], "?x-amz-signature=0", false, Some("X-Amz-Signature")),
            (&[], "?X%2DAmz%2DDate=0", false, Some("X-Amz-Date")),
            (&[], "?X-Amz-Algorithm", false, Some("X-Amz-Algorithm")),
            (&[], "?X-Amz-Credential=", false, Some("X-Amz-Credential")),
            (&[], "?X-Amz-SignedHeaders=host", false, Some("X-Amz-SignedHeaders")),
            (&[], "?X-Amz-Security-Token=t", false, Some("X-Amz-Security-Token")),
            (&[], "?X-Amz-Acl=private&Action=X-Amz-Date&a=X-Amz-Expires", true, None),
        ] {
            let outcome = check(headers, &format!("https://h/{query}"), is_s3);
            match refused {
                None => assert_eq!(outcome, Ok(()), "{headers:?} {query}"),
                Some(words) => assert!(
                    outcome.as_ref().is_err_and(|why| why.contains(words)),
                    "{headers:?} {query}: {outcome:?}"
                ),
            }
        }
    }
}
