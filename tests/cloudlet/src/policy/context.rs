//! The policy variables and condition keys of one request (developer guide, basic-, thing- and cert-policy-variables).

use std::net::IpAddr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::account::Thing;
use crate::x509::{Names, ParsedCertificate};

/// The values of policy variables. A variable without a value stays unchanged, and so matches nothing.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    client_id: Option<String>,
    source_ip: IpAddr,
    thing: Option<Thing>,
    subject: Names,
    issuer: Names,
    serial_number: Option<String>,
    connect: Option<ConnectAttributes>,
}

/// The connect attributes that a CONNECT requests (developer guide, mqtt-persistent-sessions, "Connect attributes").
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectAttributes {
    /// Whether the session outlives the connection.
    pub(crate) persistent: bool,
    /// The ARN of the will's topic.
    pub(crate) will_topic: Option<String>,
}

/// Maximum number of items in certificate attributes that contain arrays (cert-policy-variables).
const MAX_ITEMS: usize = 5;
/// Maximum length of certificate attributes that are replaced (cert-policy-variables).
const MAX_CHARACTERS: usize = 1024;

impl Context {
    /// Creates the variables of a connection.
    pub(crate) fn of_connection(
        certificate: &ParsedCertificate,
        client_id: &str,
        thing: Option<Thing>,
        source_ip: IpAddr,
    ) -> Self {
        Self {
            thing,
            client_id: Some(client_id.to_owned()),
            ..Self::of_request(certificate, source_ip)
        }
    }

    /// Creates the variables of a request that is not an MQTT connection. It has no client ID and therefore no thing.
    pub(crate) fn of_request(certificate: &ParsedCertificate, source_ip: IpAddr) -> Self {
        Self {
            client_id: None,
            source_ip,
            thing: None,
            subject: certificate.subject_names.clone(),
            issuer: certificate.issuer_names.clone(),
            serial_number: Some(certificate.serial_number.clone()),
            connect: None,
        }
    }

    /// Adds the attributes of CONNECT, which do not apply to later requests.
    pub(crate) fn connecting(&self, attributes: ConnectAttributes) -> Self {
        Self {
            connect: Some(attributes),
            ..self.clone()
        }
    }

    /// Returns the thing that the connection belongs to.
    pub(crate) fn thing_name(&self) -> Option<&str> {
        self.thing.as_ref().map(|thing| thing.name.as_str())
    }

    /// Returns the value of a policy variable.
    pub(super) fn resolve(&self, variable: &str) -> Option<String> {
        // A list has no single value that could replace the variable.
        if variable.ends_with(".List") {
            return None;
        }
        self.values(variable)?.into_iter().next()
    }

    /// Returns all values of a condition key; `None` if the request has no such key.
    pub(super) fn values(&self, key: &str) -> Option<Vec<String>> {
        const THING_ATTRIBUTE: &str = "iot:Connection.Thing.Attributes[";
        let one = |value: &str| vec![value.to_owned()];
        match key {
            "iot:ClientId" => self.client_id.as_deref().map(one),
            "aws:SourceIp" => Some(vec![self.source_ip.to_string()]),
            "aws:CurrentTime" => OffsetDateTime::now_utc().format(&Rfc3339).ok().map(|now| vec![now]),
            // The guide's examples still contain the older name (pub-sub-policy).
            "iot:Connection.Thing.ThingName" | "iot:Thing.ThingName" => self.thing_name().map(one),
            "iot:Connection.Thing.ThingTypeName" => self.thing.as_ref()?.thing_type.as_deref().map(one),
            "iot:Connection.Thing.IsAttached" => {
                self.client_id.as_ref()?;
                Some(vec![self.thing.is_some().to_string()])
            }
            "iot:ConnectAttributes" => self.connect.as_ref().map(ConnectAttributes::names),
            "iot:LastWillTopic" => self.connect.as_ref()?.will_topic.as_deref().map(one),
            "iot:Certificate.SerialNumber" => self.serial_number.as_deref().map(one),
            "iot:Certificate.AvailableKeys" => Some(self.available_keys()),
            _ => {
                if let Some(name) = key
                    .strip_prefix(THING_ATTRIBUTE)
                    .and_then(|rest| rest.strip_suffix(']'))
                {
                    return self.thing.as_ref()?.attributes.get(name).map(|value| one(value));
                }
                let attribute = key.strip_prefix("iot:Certificate.")?;
                match attribute.split_once('.')? {
                    ("Subject", name) => certificate_attribute(&self.subject, name),
                    ("Issuer", name) => certificate_attribute(&self.issuer, name),
                    _ => None,
                }
            }
        }
    }

    fn available_keys(&self) -> Vec<String> {
        let of = |whose: &str, names: &Names| {
            let keys = names.iter().map(|(name, _)| format!("iot:Certificate.{whose}.{name}"));
            keys.collect::<Vec<_>>()
        };
        let mut keys = [of("Subject", &self.subject), of("Issuer", &self.issuer)].concat();
        keys.extend(
            self.serial_number
                .iter()
                .map(|_| "iot:Certificate.SerialNumber".to_owned()),
        );
        keys.sort();
        keys.dedup();
        keys
    }

    #[cfg(test)]
    pub(super) fn for_tests(client_id: &str, attached_to: Option<&str>) -> Self {
        let thing = attached_to.filter(|name| *name == client_id).map(Thing::new);
        Self {
            client_id: Some(client_id.to_owned()),
            source_ip: std::net::Ipv4Addr::LOCALHOST.into(),
            thing,
            subject: Names::new(),
            issuer: Names::new(),
            serial_number: None,
            connect: None,
        }
    }

    #[cfg(test)]
    pub(super) fn with_subject(self, subject: &[(&str, &str)]) -> Self {
        let subject = subject
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            subject: subject.collect(),
            ..self
        }
    }

    #[cfg(test)]
    pub(super) fn with_thing(self, thing: Thing) -> Self {
        Self {
            thing: Some(thing),
            ..self
        }
    }
}

/// Returns values of an attribute: `CommonName` is the first value, `CommonName.1` the second, `CommonName.List` all of them. Values that
/// contain a wildcard are not replaced (cert-policy-variables, "limitations").
fn certificate_attribute(names: &Names, key: &str) -> Option<Vec<String>> {
    let usable = |value: &&str| !value.contains(['*', '?']) && value.chars().count() <= MAX_CHARACTERS;
    let of = |wanted: &str| {
        let named = names.iter().filter(|(name, _)| name == wanted);
        let values: Vec<&str> = named.map(|(_, value)| value.as_str()).take(MAX_ITEMS).collect();
        values
    };
    let (name, selector) = match key.rsplit_once('.') {
        Some((name, selector)) if selector == "List" || selector.parse::<usize>().is_ok() => (name, Some(selector)),
        _ => (key, None),
    };
    let values = of(name);
    let chosen: Vec<&str> = match selector.map(str::parse::<usize>) {
        None => values.into_iter().take(1).collect(),
        Some(Ok(position)) => values.into_iter().skip(position).take(1).collect(),
        Some(Err(_)) => values,
    };
    let chosen: Vec<String> = chosen.into_iter().filter(usable).map(str::to_owned).collect();
    (!chosen.is_empty()).then_some(chosen)
}

impl ConnectAttributes {
    fn names(&self) -> Vec<String> {
        let persistent = self.persistent.then_some("PersistentConnect");
        let will = self.will_topic.as_ref().map(|_| "LastWill");
        persistent.into_iter().chain(will).map(str::to_owned).collect()
    }
}
