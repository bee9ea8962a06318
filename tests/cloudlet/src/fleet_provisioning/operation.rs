//! The operations and their topics.

/// An operation of fleet provisioning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// AWS creates the key as well.
    CreateKeysAndCertificate,
    CreateCertificateFromCsr,
    /// With the template of this name.
    RegisterThing(String),
}

impl Operation {
    /// Returns the operation for a topic.
    pub(crate) fn of(topic: &str) -> Option<Self> {
        match topic.split('/').collect::<Vec<_>>().as_slice() {
            ["$aws", "certificates", "create", "json"] => Some(Self::CreateKeysAndCertificate),
            ["$aws", "certificates", "create-from-csr", "json"] => Some(Self::CreateCertificateFromCsr),
            ["$aws", "provisioning-templates", template, "provision", "json"] => {
                Some(Self::RegisterThing((*template).to_owned()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Operation;

    #[test]
    fn only_requests_in_json_are_operations() {
        let template = Some(Operation::RegisterThing("t".to_owned()));
        for (topic, expected) in [
            (
                "$aws/certificates/create/json",
                Some(Operation::CreateKeysAndCertificate),
            ),
            (
                "$aws/certificates/create-from-csr/json",
                Some(Operation::CreateCertificateFromCsr),
            ),
            ("$aws/provisioning-templates/t/provision/json", template),
            ("$aws/certificates/create/cbor", None),
            ("$aws/certificates/create/json/accepted", None),
            ("$aws/certificates/create", None),
            ("$aws/provisioning-templates/t/provision/json/rejected", None),
            ("$aws/provisioning-templates/t/x/provision/json", None),
            ("aws/certificates/create/json", None),
            ("$aws/things/t/shadow/get", None),
        ] {
            assert_eq!(Operation::of(topic), expected, "{topic}");
        }
    }
}
