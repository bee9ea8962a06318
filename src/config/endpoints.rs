//! Checks `[aws]`: each endpoint's name must match its key, and the endpoints must match each other.

use super::aws_name::{self, Service};
use super::findings::Findings;
use super::lookalike;
use super::raw::RawAws;
use super::values::parse_absolute_path;
use super::{Aws, Endpoint, StsEndpoint};
use crate::foreign_text;

/// A key of the configuration, and the kind of endpoint that it takes.
struct EndpointKind {
    key: &'static str,
    service: Service,
    /// The ports on which AWS answers, the default first (developer guide, "Device communication protocols").
    ports: &'static [u16],
}

const MQTT: EndpointKind = EndpointKind {
    key: "aws.mqtt-endpoint",
    service: Service::Data,
    ports: &[8883, 443],
};
const CREDENTIALS: EndpointKind = EndpointKind {
    key: "aws.credentials-endpoint",
    service: Service::Credentials,
    ports: &[443],
};

/// Stands for the Region of endpoints that have faults.
const ANY_REGION: &str = "us-east-1";

/// On port 443 AWS IoT tells MQTT from HTTPS by this protocol name (developer guide, "Device communication protocols").
const ALPN_MQTT: &[&str] = &["x-amzn-mqtt-ca"];

/// Checks `[aws]`.
pub(super) fn check_aws(raw: RawAws, findings: &mut Findings) -> Option<Aws> {
    let mqtt = check_endpoint(&MQTT, raw.mqtt_endpoint, findings);
    let credentials = check_endpoint(&CREDENTIALS, raw.credentials_endpoint, findings);
    let root_ca = findings.parse_optional("aws.root-ca", raw.root_ca, parse_absolute_path);
    let alpn = findings.parse_optional("aws.mqtt-alpn", raw.mqtt_alpn, parse_alpn);
    let (Some(mqtt_endpoint), Some(credentials_endpoint)) = (mqtt, credentials) else {
        // The Region of the endpoints is unknown, but other faults of this endpoint can be found.
        if let Some(text) = raw.sts_endpoint {
            findings.check("aws.sts-endpoint", StsEndpoint::parse(&text, Some(ANY_REGION)));
        }
        return None;
    };
    let mqtt_alpn = match alpn {
        Some(alpn) => alpn,
        None if mqtt_endpoint.port == 443 => ALPN_MQTT,
        None => &[],
    };
    if mqtt_endpoint.port == 443 && mqtt_alpn.is_empty() && mqtt_endpoint.region().is_some() {
        findings.add_note(
            "aws.mqtt-alpn",
            "is \"none\", and on port 443 AWS accepts MQTT without ALPN only where the domain configuration's application protocol \
             is SECURE_MQTT",
        );
    }
    let partition = |endpoint: &Endpoint| endpoint.aws_name().ok().flatten().map(|name| name.partition);
    if let (Some(one), Some(other)) = (partition(&mqtt_endpoint), partition(&credentials_endpoint))
        && one != other
    {
        findings.add_note(
            CREDENTIALS.key,
            format!(
                "it is in the partition {}, and aws.mqtt-endpoint in {}; no account is in both, so one of them refuses the \
                 certificate",
                other.name, one.name
            ),
        );
    } else if let (Some(one), Some(other)) = (mqtt_endpoint.region(), credentials_endpoint.region())
        && one != other
    {
        findings.add_note(
            CREDENTIALS.key,
            format!(
                "its Region is {other}, and that of aws.mqtt-endpoint {one}; unless the certificate is registered in both, one \
                 of them refuses it: give --region to aws iot describe-endpoint"
            ),
        );
    }
    let region = mqtt_endpoint.region().or_else(|| credentials_endpoint.region());
    let sts = match raw.sts_endpoint {
        None => region.as_deref().map(StsEndpoint::of_region),
        Some(text) => Some(findings.check("aws.sts-endpoint", StsEndpoint::parse(&text, region.as_deref()))?),
    };
    Some(Aws {
        mqtt_endpoint,
        credentials_endpoint,
        root_ca,
        mqtt_alpn,
        sts,
    })
}

/// Parses the protocol to offer.
fn parse_alpn(text: &str) -> Result<&'static [&'static str], String> {
    match text {
        "x-amzn-mqtt-ca" => Ok(ALPN_MQTT),
        "none" => Ok(&[]),
        _ => Err(format!(
            "{} is neither \"x-amzn-mqtt-ca\" nor \"none\"",
            foreign_text::value(text)
        )),
    }
}

fn check_endpoint(kind: &EndpointKind, value: Option<String>, findings: &mut Findings) -> Option<Endpoint> {
    let endpoint = findings.parse_required(kind.key, value, |text| parse(kind, text))?;
    for note in [find_doubt(kind, &endpoint), find_region_doubt(&endpoint)]
        .into_iter()
        .flatten()
    {
        findings.add_note(kind.key, note);
    }
    Some(endpoint)
}

fn parse(kind: &EndpointKind, text: &str) -> Result<Endpoint, String> {
    let shown = foreign_text::value(text);
    let hint = format!("`{}` prints yours", kind.service.describe_command());
    // The PREFIX and REGION of the sample are valid in a host name.
    if text.split(['.', '-']).any(|word| matches!(word, "PREFIX" | "REGION")) {
        return Err(format!("{shown} is the sample's placeholder; {hint}"));
    }
    let [default, ..] = kind.ports else { return Err(hint) };
    let endpoint = Endpoint::parse(text, *default).map_err(|why| format!("{why}; {hint}"))?;
    let Some(name) = endpoint.aws_name().map_err(|why| format!("{shown} {why}; {hint}"))? else {
        return Ok(endpoint);
    };
    if aws_name::has_placeholder(&endpoint.host) {
        return Err(format!(
            "{shown} has an example's placeholder where the account's own prefix belongs; {hint}"
        ));
    }
    let is_right = match kind.service {
        Service::Credentials => name.service == Service::Credentials,
        _ => matches!(name.service, Service::Data | Service::LegacyData),
    };
    if !is_right {
        return Err(format!("{shown} is {}; {hint}", name.service.describe()));
    }
    if !kind.ports.contains(&endpoint.port) {
        let ports: Vec<String> = kind.ports.iter().map(u16::to_string).collect();
        return Err(format!(
            "AWS does not answer on port {} there; leave the port out, or give {}",
            endpoint.port,
            ports.join(" or ")
        ));
    }
    Ok(endpoint)
}

/// Returns a note about an endpoint that can be used, but is probably a mistake.
fn find_doubt(kind: &EndpointKind, endpoint: &Endpoint) -> Option<String> {
    let name = endpoint.aws_name().ok().flatten();
    if name.is_some()
        && let Some(doubt) = aws_name::find_doubt(&endpoint.host)
    {
        return Some(format!(
            "\"{}\" {doubt}; `{}` prints yours",
            endpoint.host,
            kind.service.describe_command()
        ));
    }
    match name.map(|name| name.service) {
        Some(Service::LegacyData) => Some(format!(
            "\"{}\" is the legacy endpoint, whose server certificate the Amazon roots do not cover; `{}` prints the one with \
             -ats",
            endpoint.host,
            kind.service.describe_command()
        )),
        None if endpoint.port == 1883 => Some(
            "port 1883 is by convention MQTT without TLS, which gatepost does not speak; with TLS it is 8883"
                .to_owned(),
        ),
        None => lookalike::describe(&endpoint.host).map(|what| {
            format!(
                "\"{}\" {what}; `{}` prints yours",
                endpoint.host,
                kind.service.describe_command()
            )
        }),
        _ => None,
    }
}

fn find_region_doubt(endpoint: &Endpoint) -> Option<String> {
    let name = endpoint.aws_name().ok().flatten()?;
    (!aws_name::is_usual_region(&name.region)).then(|| {
        format!(
            "\"{}\" is not a Region of AWS that gatepost knows; `aws configure get region` prints yours, and a new one may be right",
            name.region
        )
    })
}

#[cfg(test)]
mod tests;
