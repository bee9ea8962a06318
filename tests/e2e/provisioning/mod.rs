//! Just-in-time provisioning: from first contact to provisioned, and again if AWS has deleted the certificate.

mod first_contact;
mod renewed;
mod restart;
mod rotation;
mod standing;
mod thing_name;
