//! The methods of enrolment.

use super::est_method::EstMethod;
use super::helper_method::HelperMethod;
use super::method::Method;
use crate::clock::SharedClock;
use crate::cloud::connector::Connector;
use crate::config::{Config, EnrolmentMethod};

/// Returns the method that is configured; `None` where gatepost asks for nothing.
pub(super) fn method_of(config: &Config, connector: Connector, clock: &SharedClock) -> Option<Box<dyn Method>> {
    match config.enrolment.method {
        EnrolmentMethod::File => None,
        EnrolmentMethod::Est => Some(Box::new(EstMethod::new(
            config.enrolment.est()?,
            config,
            connector,
            clock.clone(),
        ))),
        EnrolmentMethod::Helper => Some(Box::new(HelperMethod::new(&config.folders.runtime))),
    }
}
