//! Checks the ports and sockets of the listeners while no daemon has them.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::lines::{Check, LOCAL_MQTT, LOOPBACK};
use super::report::Report;
use crate::config::Config;
use crate::local::{PortHolder, mqtt_socket_path};
use crate::problem::Problem;

/// Checks that nobody else has the ports: a program that listens there would be shown the secrets of others.
pub fn check(config: &Config, report: &mut Report) {
    if let Some(address) = config.loopback {
        check_port(LOOPBACK, "loopback.listen", address, report);
    }
    if config.local_mqtt.socket {
        check_socket(&mqtt_socket_path(&config.folders.runtime), report);
    }
    if let Some(address) = config.local_mqtt.listen {
        check_port(LOCAL_MQTT, "local-mqtt.listen", address, report);
    }
}

/// Returns the check that problems with the secrets of programs belong to.
pub fn check_of_secrets(config: &Config) -> Check {
    match (config.loopback, config.local_mqtt.listen) {
        (None, Some(_)) => LOCAL_MQTT,
        _ => LOOPBACK,
    }
}

fn check_port(check: Check, key: &str, address: SocketAddr, report: &mut Report) {
    match PortHolder::find(address) {
        None => report.ok(check, format!("{address} is free")),
        Some(holder) if holder.is_service_manager() => {
            report.ok(check, format!("systemd keeps {address} for gatepost"));
        }
        Some(holder) => report.failed(
            check,
            &Problem::configuration(format!("{key}: {holder} listens at {address}"))
                .next("stop that program, and find out why it is there; or choose another port"),
        ),
    }
}

/// Checks that gatepostd can replace what is at the path. It removes a socket or a file, but no folder.
fn check_socket(path: &Path, report: &mut Report) {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => report.failed(
            LOCAL_MQTT,
            &Problem::configuration(format!("local-mqtt.socket: {shown} is a folder"))
                .next(format!("remove it: rmdir {shown}")),
        ),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            report.ok(LOCAL_MQTT, format!("{shown} is no socket, and is replaced"));
        }
        _ => report.ok(LOCAL_MQTT, format!("{shown} can be created")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_that_another_program_has_fails() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let mut report = Report::default();
        check_port(LOCAL_MQTT, "local-mqtt.listen", address, &mut report);
        assert!(report.verdict().is_err());
        let text = report.text();
        assert!(
            text.contains("local-mqtt.listen: ") && text.contains(&std::process::id().to_string()),
            "{text}"
        );
        // The same port of another address is free.
        let mut report = Report::default();
        let other = SocketAddr::from(([127, 9, 8, 7], address.port()));
        check_port(LOCAL_MQTT, "local-mqtt.listen", other, &mut report);
        assert!(report.verdict().is_ok(), "{}", report.text());
    }

    #[test]
    fn a_folder_in_the_place_of_the_socket_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mqtt.sock");
        let is_good = || {
            let mut report = Report::default();
            check_socket(&path, &mut report);
            report.verdict().is_ok()
        };
        assert!(is_good(), "nothing is there");
        fs::write(&path, "").unwrap();
        assert!(is_good(), "a file is replaced");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(!is_good());
    }
}
