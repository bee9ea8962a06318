//! Code that both programs of this crate share.

use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// The SDK's own HTTP client without TLS, which nothing on loopback speaks: the default one would build a whole crypto
/// library.
pub fn http_client() -> SharedHttpClient {
    Builder::new().build_http()
}
