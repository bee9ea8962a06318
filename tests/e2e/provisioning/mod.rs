//! Just-in-time provisioning: from first contact to provisioned, and back where AWS forgets.

mod first_contact;
mod restart;
mod rotation;
mod standing;
mod thing_name;
