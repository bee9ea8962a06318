//! AWS SDK for Rust: puts an object twice a second until the file STOP is there. The first call that fails ends it.

use std::path::Path;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_sdk_s3::primitives::ByteStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bucket, stop] = &arguments[..] else {
        return Err("usage: programs BUCKET STOP".into());
    };
    // Nothing is tried twice: a call that would fail shall be seen.
    let config = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .http_client(programs::http_client())
        .load()
        .await;
    let s3 = aws_sdk_s3::Client::new(&config);
    let mut calls = 0;
    while !Path::new(stop).exists() {
        let body = ByteStream::from_static(b"21.5");
        s3.put_object()
            .bucket(bucket)
            .key(calls.to_string())
            .body(body)
            .send()
            .await?;
        calls += 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    println!("{calls}");
    Ok(())
}
