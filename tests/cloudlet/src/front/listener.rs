//! Accepts connections to the MQTT endpoint.

use std::sync::Arc;

use super::connect;
use crate::Endpoint;
use crate::cloud::Cloud;
use crate::listener::Listener;
use crate::tls;

/// Serves the MQTT endpoint.
pub(crate) async fn serve(cloud: Arc<Cloud>, listener: Listener) {
    loop {
        let (tcp, peer) = listener.accept().await;
        let cloud = cloud.clone();
        tokio::spawn(async move {
            if let Some(accepted) = tls::accept(&cloud, Endpoint::Mqtt, tcp, peer).await {
                connect::receive(cloud, accepted).await;
            }
        });
    }
}
