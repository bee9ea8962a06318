//! Rotation: a new certificate because a job of AWS IoT asks for it, by the contract of AWS's certificate rotator
//! (awslabs/aws-greengrass-labs-certificate-rotator), over the gateway's own MQTT session.
//!
//! [`messages`] has the words, [`machine`] decides, [`RotationTask`] acts. The certificate goes the way of every renewal: it is judged,
//! put into its place, and proven on a connection of its own. Until the rotator has seen it in use, the previous one can come back.

mod machine;
mod messages;
mod record;
mod task;
mod transitions;

pub use task::{RotationInputs, RotationTask};
