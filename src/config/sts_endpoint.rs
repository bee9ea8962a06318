//! The endpoint of AWS's Security Token Service.

use std::net::IpAddr;

use super::{Endpoint, Origin, Partition};
use crate::foreign_text;

/// The Region for signatures where nothing names one: an emulator on this machine.
const EMULATED_REGION: &str = "us-east-1";

/// STS in one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsEndpoint {
    /// Where it answers.
    pub origin: Origin,
    /// The Region of its signatures.
    pub region: String,
}

impl StsEndpoint {
    /// Returns the endpoint of a Region.
    pub fn of_region(region: &str) -> Self {
        let origin = Origin {
            is_tls: true,
            host: Partition::of_region(region).sts_host(region),
            port: 443,
        };
        Self {
            origin,
            region: region.to_owned(),
        }
    }

    /// Parses `HOST[:PORT]` or `https://HOST[:PORT]`; `http://` only for this machine. `known` is the Region of the IoT endpoints.
    ///
    /// # Errors
    /// With the reason if `text` has another form, or if its Region is unknown.
    pub(super) fn parse(text: &str, known: Option<&str>) -> Result<Self, String> {
        let shown = foreign_text::value(text);
        let url = match text.contains("://") {
            true => text.to_owned(),
            false => format!("https://{text}"),
        };
        let origin = Origin::parse(&url).map_err(|why| format!("{shown}: {why}"))?;
        let is_local = origin.host == "localhost" || origin.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !origin.is_tls && !is_local {
            return Err(format!("{shown}: without TLS only a server on this machine is asked"));
        }
        if origin.is_tls {
            Endpoint::parse(&origin.host, origin.port)?;
        }
        let region = region_of(&origin.host)
            .or(known)
            .or(is_local.then_some(EMULATED_REGION));
        match region.map(str::to_owned) {
            Some(region) => Ok(Self { origin, region }),
            None => Err(format!("{shown} names no Region, and neither do the other endpoints")),
        }
    }
}

/// Returns the Region in the name of an endpoint: `sts.REGION.amazonaws.com`, also with FIPS and within a VPC. The global endpoint
/// has none.
fn region_of(host: &str) -> Option<&str> {
    let mut labels = host
        .split('.')
        .skip_while(|label| !matches!(*label, "sts" | "sts-fips"));
    labels.next()?;
    labels.next().filter(|label| label.contains('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_in_the_name_or_known_otherwise() {
        for (text, known, expected) in [
            (
                "sts.us-east-2.amazonaws.com",
                None,
                Ok(("https://sts.us-east-2.amazonaws.com", "us-east-2")),
            ),
            (
                "https://sts.eu-west-1.amazonaws.com/",
                None,
                Ok(("https://sts.eu-west-1.amazonaws.com", "eu-west-1")),
            ),
            (
                "sts-fips.us-east-1.amazonaws.com:443",
                None,
                Ok(("https://sts-fips.us-east-1.amazonaws.com", "us-east-1")),
            ),
            (
                "vpce-1.sts.us-east-2.vpce.amazonaws.com",
                Some("eu-west-1"),
                Ok(("https://vpce-1.sts.us-east-2.vpce.amazonaws.com", "us-east-2")),
            ),
            (
                "sts.plant.example:8443",
                Some("us-east-2"),
                Ok(("https://sts.plant.example:8443", "us-east-2")),
            ),
            (
                "http://127.0.0.1:4566",
                None,
                Ok(("http://127.0.0.1:4566", "us-east-1")),
            ),
            (
                "http://localhost:4566",
                Some("us-east-2"),
                Ok(("http://localhost:4566", "us-east-2")),
            ),
            ("sts.amazonaws.com", None, Err("names no Region")),
            ("sts.plant.example", None, Err("names no Region")),
            ("http://sts.us-east-2.amazonaws.com", None, Err("without TLS")),
            (
                "https://user:hunter2@sts.us-east-2.amazonaws.com",
                None,
                Err("only scheme"),
            ),
            ("sts.us-east-2.amazonaws.com/path", None, Err("only scheme")),
            ("ftp://host", None, Err("neither https nor http")),
            ("192.0.2.1", Some("us-east-2"), Err("address")),
            ("", None, Err("URL")),
        ] {
            match (StsEndpoint::parse(text, known), expected) {
                (Ok(found), Ok((url, region))) => {
                    assert_eq!(
                        (found.origin.to_string().as_str(), found.region.as_str()),
                        (url, region),
                        "{text}"
                    );
                }
                (Err(why), Err(part)) => assert!(why.contains(part) && !why.contains("hunter2"), "{text}: {why}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        assert_eq!(
            StsEndpoint::of_region("us-east-2").origin.to_string(),
            "https://sts.us-east-2.amazonaws.com"
        );
    }
}
