//! Lambda functions, implemented by commands: a command reads the event as JSON from standard input and prints the result.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::cloud::Cloud;

/// Time limit of a hook (developer guide, pre-provisioning-hook).
const TIMEOUT: Duration = Duration::from_secs(5);

/// Invokes the function with this ARN or name.
pub(super) async fn invoke(cloud: &Cloud, arn: &str, event: &Value) -> Result<Value, String> {
    let name = arn.rsplit_once(":function:").map_or(arn, |(_, name)| name);
    let command = cloud
        .switches
        .get(|switches| switches.fleet.functions.get(name).cloned())
        .ok_or_else(|| format!("function {name} does not exist"))?;
    match timeout(TIMEOUT, run(&command, event)).await {
        Ok(result) => result.map_err(|why| format!("function {name}: {why}")),
        Err(_) => Err(format!("function {name} did not answer within {} s", TIMEOUT.as_secs())),
    }
}

async fn run(command: &Path, event: &Value) -> Result<Value, String> {
    let mut child = Command::new(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // A function that does not read its event may have ended already.
        let _ = input.write_all(event.to_string().as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => serde_json::from_slice(&output.stdout).map_err(|_| "its result is not JSON".to_owned()),
        false => Err(format!("it ended with {}", output.status)),
    }
}
