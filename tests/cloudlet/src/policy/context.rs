//! The policy variables of one request (developer guide, basic-, thing- and cert-policy-variables).

use std::net::IpAddr;

use crate::account::{Account, CertificateId, Thing};
use crate::x509::ParsedCertificate;

/// What policy variables resolve to. A variable that does not resolve stays as it is written, and so matches nothing.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    client_id: Option<String>,
    source_ip: IpAddr,
    thing: Option<Thing>,
    subject: Vec<(String, String)>,
}

impl Context {
    /// The variables of a connection. Its thing is the one named exactly as the client ID, if the certificate is
    /// attached to it (developer guide, thing-policy-variables).
    pub(crate) fn of_connection(
        account: &Account,
        id: &CertificateId,
        certificate: &ParsedCertificate,
        client_id: &str,
        source_ip: IpAddr,
    ) -> Self {
        let attached = account
            .certificate(id)
            .is_some_and(|certificate| certificate.things.contains(client_id));
        Self {
            thing: attached.then(|| account.thing(client_id).cloned()).flatten(),
            client_id: Some(client_id.to_owned()),
            ..Self::of_request(certificate, source_ip)
        }
    }

    /// The variables of a request that is no MQTT connection: it has no client ID and hence no thing.
    pub(crate) fn of_request(certificate: &ParsedCertificate, source_ip: IpAddr) -> Self {
        let subject = certificate
            .subject_attributes()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            client_id: None,
            source_ip,
            thing: None,
            subject: subject.collect(),
        }
    }

    /// The thing this connection speaks for.
    pub(crate) fn thing_name(&self) -> Option<&str> {
        self.thing.as_ref().map(|thing| thing.name.as_str())
    }

    #[cfg(test)]
    pub(super) fn for_tests(client_id: &str, attached_to: Option<&str>) -> Self {
        let thing = attached_to.filter(|name| *name == client_id).map(Thing::new);
        Self {
            client_id: Some(client_id.to_owned()),
            source_ip: std::net::Ipv4Addr::LOCALHOST.into(),
            thing,
            subject: vec![],
        }
    }

    pub(super) fn resolve(&self, variable: &str) -> Option<String> {
        const THING_ATTRIBUTE: &str = "iot:Connection.Thing.Attributes[";
        const SUBJECT: &str = "iot:Certificate.Subject.";
        match variable {
            "iot:ClientId" => self.client_id.clone(),
            "aws:SourceIp" => Some(self.source_ip.to_string()),
            "iot:Connection.Thing.ThingName" => self.thing_name().map(str::to_owned),
            "iot:Connection.Thing.ThingTypeName" => self.thing.as_ref()?.thing_type.clone(),
            "iot:Connection.Thing.IsAttached" => Some(self.thing.is_some().to_string()),
            _ => {
                if let Some(name) = variable
                    .strip_prefix(THING_ATTRIBUTE)
                    .and_then(|rest| rest.strip_suffix(']'))
                {
                    return self.thing.as_ref()?.attributes.get(name).cloned();
                }
                let name = variable.strip_prefix(SUBJECT)?;
                self.subject
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.clone())
            }
        }
    }
}
