//! Accepts connections for ever.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::connect;
use crate::Endpoint;
use crate::cloud::Cloud;
use crate::tls;

/// After an accept error, which is most often "too many open files": trying again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the MQTT endpoint.
pub(crate) async fn serve(cloud: Arc<Cloud>, listener: TcpListener) {
    loop {
        let Ok((tcp, peer)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let cloud = cloud.clone();
        tokio::spawn(async move {
            if let Some(accepted) = tls::accept(&cloud, Endpoint::Mqtt, tcp, peer).await {
                connect::receive(cloud, accepted).await;
            }
        });
    }
}
