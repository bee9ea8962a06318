//! A request to a device service, and its replies.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::account::CertificateId;
use crate::cloud::Cloud;

/// A message on a topic of a service.
pub(crate) struct Request {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) client_id: String,
    /// The client certificate of the connection.
    pub(crate) certificate: CertificateId,
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
}

/// A reply to a request.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) topic: String,
    pub(crate) payload: Value,
}

impl Request {
    /// Returns the reply to a request that was carried out.
    pub(crate) fn accepted(&self, payload: Value) -> Reply {
        Reply {
            topic: format!("{}/accepted", self.topic),
            payload,
        }
    }

    /// Returns the reply to a request that was rejected.
    pub(crate) fn rejected(&self, payload: Value) -> Reply {
        Reply {
            topic: format!("{}/rejected", self.topic),
            payload,
        }
    }
}
