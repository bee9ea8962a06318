//! The methods of enrolment.

use std::sync::Arc;

use rustls::RootCertStore;

use super::claim_method::ClaimMethod;
use super::est_method::EstMethod;
use super::helper_method::HelperMethod;
use super::method::Method;
use crate::clock::SharedClock;
use crate::cloud::connector::Connector;
use crate::config::{Config, EnrolmentMethod};
use crate::token::Token;

/// Returns the configured method; `None` if enrolment is off.
pub(super) fn method_of(
    config: &Config,
    connector: Connector,
    token: &Token,
    roots: &Arc<RootCertStore>,
    clock: &SharedClock,
) -> Option<Box<dyn Method>> {
    match config.enrolment.method {
        EnrolmentMethod::File => None,
        EnrolmentMethod::Claim => Some(Box::new(ClaimMethod::new(
            config.enrolment.claim()?,
            config,
            connector,
            token.clone(),
            roots.clone(),
            clock.clone(),
        ))),
        EnrolmentMethod::Est => Some(Box::new(EstMethod::new(
            config.enrolment.est()?,
            config,
            connector,
            token.clone(),
            clock.clone(),
        ))),
        EnrolmentMethod::Helper => Some(Box::new(HelperMethod::new(&config.folders.runtime))),
    }
}
