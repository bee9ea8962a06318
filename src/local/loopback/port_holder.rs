//! Names the process that listens on a port, for `gatepost check` while no daemon runs.

use std::fmt;
use std::fs;
use std::net::SocketAddr;

use super::port;
use crate::foreign_text::clean;

/// The user and the process that listen on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortHolder {
    /// The user's name and number.
    user: String,
    /// The process, if this user may inspect it.
    process: Option<Process>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    id: u32,
    name: String,
}

impl PortHolder {
    /// Finds the listener at `address`, or one that keeps others from listening there; `None` where there is none.
    pub fn find(address: SocketAddr) -> Option<Self> {
        let (uid, inode) = port::listener_at(address)?;
        Some(Self {
            user: port::user_name(uid),
            process: process_with_socket(inode),
        })
    }

    /// Returns whether the holder is the service manager, which keeps the port for gatepost between two runs.
    pub fn is_service_manager(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.id == 1)
    }
}

impl fmt::Display for PortHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.user)?;
        match &self.process {
            Some(Process { id, name }) => write!(f, ", with the program {name} (pid {id})"),
            None => Ok(()),
        }
    }
}

/// Finds the process that has a socket open, among those whose descriptors this user may read.
fn process_with_socket(inode: u64) -> Option<Process> {
    let target_of_socket = format!("socket:[{inode}]");
    let has_socket = |id: &u32| {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{id}/fd")) else {
            return false;
        };
        let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        targets.any(|target| target.as_os_str() == target_of_socket.as_str())
    };
    let processes = fs::read_dir("/proc").ok()?;
    let mut ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let id = ids.find(has_socket)?;
    let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    Some(Process { id, name: clean(name) })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn this_process_is_found_at_its_own_port_and_none_at_a_free_one() {
        for place in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            // A machine may have no IPv6.
            let Ok(listener) = TcpListener::bind(place) else {
                continue;
            };
            let mut address = listener.local_addr().unwrap();
            if address.ip().is_unspecified() {
                address.set_ip("127.0.0.1".parse().unwrap());
            }
            let holder = PortHolder::find(address).unwrap();
            let text = holder.to_string();
            assert!(
                text.contains(&format!("uid {}", rustix::process::geteuid().as_raw())),
                "{text}"
            );
            assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
            assert!(!holder.is_service_manager());
            drop(listener);
            assert_eq!(PortHolder::find(address), None, "{address}");
        }
    }

    #[test]
    fn a_process_that_cannot_be_seen_is_left_out() {
        let mut holder = PortHolder {
            user: "user camera (uid 1001)".to_owned(),
            process: None,
        };
        assert_eq!(holder.to_string(), "user camera (uid 1001)");
        holder.process = Some(Process {
            id: 1,
            name: "systemd".to_owned(),
        });
        assert_eq!(
            holder.to_string(),
            "user camera (uid 1001), with the program systemd (pid 1)"
        );
        assert!(holder.is_service_manager());
    }
}
