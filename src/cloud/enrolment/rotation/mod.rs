//! Rotation: a job of AWS IoT requests a new certificate, by the protocol of AWS's certificate rotator
//! (awslabs/aws-greengrass-labs-certificate-rotator), over the gateway's own MQTT session.
//!
//! [`messages`] parses and writes the messages, [`machine`] decides, and [`RotationTask`] acts. The certificate is treated like every
//! renewed one: it is checked, installed, and proven on a separate connection. Until the rotator has seen it in use, the previous one can
//! be restored.

mod action;
mod machine;
mod messages;
mod progress;
mod record;
mod task;

pub use task::{RotationInputs, RotationTask};
