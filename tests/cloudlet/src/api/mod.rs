//! What the AWS CLI and the SDKs talk to: STS, IAM, S3 and the AWS IoT control plane on one port, without TLS. What is
//! proved here is the signature; its scope says which service is meant.

mod caller;
mod failure;
mod iam;
mod iot;
mod objects;
mod query;
mod s3;
mod server;
mod sts;

pub(crate) use objects::Objects;
pub(crate) use server::serve;
