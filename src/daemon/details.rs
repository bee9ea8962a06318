//! Initial status fields of the parts.

use std::path::Path;

use crate::clock::{Clock, rfc3339};
use crate::config::Config;
use crate::identity::request_path;
use crate::status::{ConfigurationDetails, EnrolmentDetails, IdentityDetails, SessionDetails, TokenDetails};

pub(super) fn configuration_details(path: &Path, clock: &dyn Clock) -> ConfigurationDetails {
    ConfigurationDetails {
        path: path.to_owned(),
        loaded: rfc3339(clock.wall()),
        ..ConfigurationDetails::default()
    }
}

pub(super) fn token_details(config: &Config) -> TokenDetails {
    TokenDetails {
        module: config.token.module.display().to_string(),
        key: config.token.key.to_string(),
        ..TokenDetails::default()
    }
}

pub(super) fn identity_details(config: &Config) -> IdentityDetails {
    IdentityDetails {
        certificate_path: config.identity.certificate.display().to_string(),
        csr_path: request_path(&config.folders).display().to_string(),
        enrolment: config.enrolment.automatic_method().map(|method| EnrolmentDetails {
            method,
            ..EnrolmentDetails::default()
        }),
        ..IdentityDetails::default()
    }
}

pub(super) fn session_details(config: &Config) -> SessionDetails {
    let endpoint = &config.aws.mqtt_endpoint;
    let proxy = config.network.proxy.as_ref();
    SessionDetails {
        endpoint: endpoint.to_string(),
        proxy: proxy
            .filter(|proxy| proxy.applies_to(&endpoint.host))
            .map(|proxy| proxy.address.to_string()),
        ..SessionDetails::default()
    }
}
