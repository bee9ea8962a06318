//! IAM, as far as the credentials provider looks at it: roles and who may assume them.

use std::time::SystemTime;

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;

use super::failure::Failure;
use super::query::QueryProtocol;
use super::sts::unsigned;
use crate::cloud::Cloud;
use crate::sigv4::{self, Endpoint};

pub(super) const PROTOCOL: QueryProtocol = QueryProtocol {
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    version: "2010-05-08",
};

pub(super) fn answer(
    cloud: &Cloud,
    head: &Parts,
    body: &Bytes,
    _request_id: &str,
) -> Result<Response<Full<Bytes>>, Failure> {
    let endpoint = Endpoint {
        service: "iam".to_owned(),
        region: None,
    };
    sigv4::verify(head, body, &endpoint, &cloud.access_keys, SystemTime::now()).map_err(unsigned)?;
    let (action, _) = PROTOCOL.read(head, body)?;
    Err(PROTOCOL.no_such_action(&action, PROTOCOL.version))
}
