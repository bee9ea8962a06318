//! The API for the AWS CLI and the SDKs: STS, IAM, S3 and the AWS IoT control plane on one port, without TLS. Callers are
//! authenticated by the signature, whose scope also names the service.

mod caller;
mod failure;
mod iam;
mod iot;
mod iot_data;
mod objects;
mod query;
mod s3;
mod server;
mod sts;
mod web_identity;

pub(crate) use objects::Objects;
pub(crate) use server::serve;
