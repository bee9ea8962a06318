//! The backend of AWS's certificate rotator (awslabs/aws-greengrass-labs-certificate-rotator, backend/lambda): three functions that rules
//! of AWS IoT call, for the two messages of a device and for the end of a job.
//!
//! Differences: the registry here has no exclusive attachment of certificates to things, so a thing may have one certificate of any kind
//! at the beginning; and nobody is notified of failures.

mod backend;
mod cleanup;
mod records;

pub(crate) use backend::{Message, receive};
pub(crate) use cleanup::look_for_ended_jobs;
pub(crate) use records::Rotations;
