// Uploads a reading to S3 and announces it on MQTT: reading BUCKET
//
// Credentials come by the profile that `gatepost setup-profile telemetry` has written; the SDK asks for fresh ones by itself.

use std::error::Error;
use std::process::Command;

use aws_config::BehaviorVersion;
use aws_sdk_s3::primitives::ByteStream;

/// Returns once the message is on the gateway's disk. From then on gatepost sends it until AWS has it.
fn publish(topic: &str, message: &str) -> Result<(), Box<dyn Error>> {
    let status = Command::new("gatepost").args(["publish", topic, message]).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("gatepost publish ended with {status}").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let bucket = std::env::args().nth(1).ok_or("usage: reading BUCKET")?;
    let config = aws_config::defaults(BehaviorVersion::latest()).profile_name("telemetry").load().await;
    let s3 = aws_sdk_s3::Client::new(&config);
    let reading = ByteStream::from_static(br#"{"temperature": 21.5}"#);
    s3.put_object().bucket(bucket).key("reading.json").body(reading).send().await?;
    // gatepost replaces {thing} with the thing name.
    publish("{thing}/camera/state", r#"{"uploaded": "reading.json"}"#)
}
