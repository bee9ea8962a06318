//! Binds the loopback listener's port, and finds other users of it.
//!
//! An SDK presents its token to whoever has the port. So no token file is written before the port is bound, and a port on
//! which another user still has connections is refused: an SDK that keeps such a connection would present the next token
//! there.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use nix::sys::socket::{Backlog, listen as listen_again};
use nix::unistd::{Uid, User};

use super::bind_error::BindError;

/// The kernel's tables of TCP sockets (proc_pid_net(5)).
const TABLES: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
/// TCP states (Linux, include/net/tcp_states.h). A socket in one of the last three has no process any more, or none yet.
const LISTEN: u8 = 0x0a;
const WITHOUT_A_PROCESS: [u8; 3] = [0x03, 0x06, 0x07];

/// A socket in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    local: SocketAddr,
    state: u8,
    uid: u32,
    inode: u64,
}

impl Entry {
    /// Returns whether the socket keeps another one from binding `address`.
    fn conflicts_with(&self, address: SocketAddr) -> bool {
        self.local.port() == address.port() && covers(self.local.ip(), address.ip())
    }
}

/// Binds the address, if no other user has a socket there.
///
/// # Errors
/// If another user has, or the address cannot be bound. The error names the other user if possible.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listener = listen(address).map_err(|error| {
        let listens = |entry: &&Entry| entry.state == LISTEN;
        match others(&entries(), address).find(listens) {
            Some(entry) => BindError::taken(format!("{error}: {} listens there", user_name(entry.uid))),
            None => BindError::from(error),
        }
    })?;
    match others(&entries(), address).find(|entry| entry.uid != 0) {
        None => Ok(listener),
        Some(entry) => Err(BindError::taken(format!(
            "{} still has connections at that port, from before gatepost had it",
            user_name(entry.uid)
        ))),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // The standard library requests a backlog of 128, which a flood of connections would fill.
    listen_again(&listener, Backlog::MAXALLOWABLE)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Returns the sockets of other users that conflict with the address.
fn others(entries: &[Entry], address: SocketAddr) -> impl Iterator<Item = &Entry> {
    let own = rustix::process::geteuid().as_raw();
    entries.iter().filter(move |entry| {
        entry.conflicts_with(address) && entry.uid != own && !WITHOUT_A_PROCESS.contains(&entry.state)
    })
}

/// Returns whether a socket bound to `bound` also receives connections to `address`.
fn covers(bound: IpAddr, address: IpAddr) -> bool {
    let bound = bound.to_canonical();
    // A socket at the unspecified IPv6 address accepts IPv4 as well, unless IPV6_V6ONLY is set.
    bound == address || (bound.is_unspecified() && (bound.is_ipv6() || address.is_ipv4()))
}

/// Reads all TCP sockets.
fn entries() -> Vec<Entry> {
    // Without the tables no other user is found, and binding alone decides.
    let tables = TABLES.iter().filter_map(|path| fs::read_to_string(path).ok());
    tables.flat_map(|table| parse(&table)).collect()
}

fn parse(table: &str) -> Vec<Entry> {
    table.lines().skip(1).filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let uid = fields.nth(3)?;
    let inode = fields.nth(1)?;
    let (ip, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Entry {
        local: SocketAddr::new(parse_ip(ip)?, port),
        state: u8::from_str_radix(state, 16).ok()?,
        uid: uid.parse().ok()?,
        inode: inode.parse().ok()?,
    })
}

/// Parses an address as the kernel prints it: words of four bytes in the machine's byte order.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = text.get(8 * index..8 * (index + 1))?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (index, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(index)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// Returns user and inode of the socket that listens at the address, or keeps others from listening there.
pub fn listener_at(address: SocketAddr) -> Option<(u32, u64)> {
    let entries = entries();
    let mut listening = entries.iter().filter(|entry| entry.state == LISTEN);
    let found = listening.find(|entry| entry.conflicts_with(address))?;
    Some((found.uid, found.inode))
}

/// Returns a user's name and number for messages.
pub fn user_name(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("user {} (uid {uid})", user.name.escape_debug()),
        Ok(None) | Err(_) => format!("uid {uid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn line(local: &str, state: &str, uid: u32) -> String {
        format!(
            "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid:5}        0 4711 1 0 100 0\n"
        )
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_table_is_parsed() {
        let v6 = "00000000000000000000000001000000:26C2";
        let mapped = "0000000000000000FFFF00000100007F:26C2";
        for (text, expected) in [
            (line("0100007F:26C2", "0A", 1001), Some(("127.0.0.1:9922", 0x0a, 1001))),
            (line("00000000:26C2", "01", 0), Some(("0.0.0.0:9922", 1, 0))),
            (line(v6, "0A", 7), Some(("[::1]:9922", 0x0a, 7))),
            (line(mapped, "08", 7), Some(("[::ffff:127.0.0.1]:9922", 8, 7))),
            (line("0100007F", "0A", 7), None),
            (line("0100007:26C2", "0A", 7), None),
            (line("0100007F:26C2", "ZZ", 7), None),
            ("nonsense\n".to_owned(), None),
            (String::new(), None),
        ] {
            let entries = parse(&format!("{HEADER}{text}"));
            let expected: Vec<Entry> = expected
                .map(|(local, state, uid)| Entry {
                    local: local.parse().unwrap(),
                    state,
                    uid,
                    inode: 4711,
                })
                .into_iter()
                .collect();
            assert_eq!(entries, expected, "{text}");
        }
    }

    #[test]
    fn conflicting_sockets_of_other_users_are_found() {
        let other = rustix::process::geteuid().as_raw() + 1001;
        for (local, state, uid, here, found) in [
            ("127.0.0.1:9922", LISTEN, other, "127.0.0.1:9922", true),
            ("0.0.0.0:9922", LISTEN, other, "127.0.0.1:9922", true),
            ("[::]:9922", LISTEN, other, "127.0.0.1:9922", true),
            ("[::ffff:127.0.0.1]:9922", 1, other, "127.0.0.1:9922", true),
            ("127.0.0.1:9922", 1, other, "127.0.0.1:9922", true),
            ("127.0.0.1:9922", 8, other, "127.0.0.1:9922", true),
            ("[::1]:9922", 1, other, "[::1]:9922", true),
            ("[::]:9922", LISTEN, other, "[::1]:9922", true),
            ("0.0.0.0:9922", LISTEN, other, "[::1]:9922", false),
            ("127.0.0.1:9922", LISTEN, other, "[::1]:9922", false),
            ("127.0.0.2:9922", LISTEN, other, "127.0.0.1:9922", false),
            ("127.0.0.1:9923", LISTEN, other, "127.0.0.1:9922", false),
            ("127.0.0.1:9922", LISTEN, other - 1001, "127.0.0.1:9922", false),
            ("127.0.0.1:9922", 3, other, "127.0.0.1:9922", false),
            ("127.0.0.1:9922", 6, other, "127.0.0.1:9922", false),
            ("127.0.0.1:9922", 7, other, "127.0.0.1:9922", false),
        ] {
            let entries = [Entry {
                local: local.parse().unwrap(),
                state,
                uid,
                inode: 0,
            }];
            let outcome = others(&entries, here.parse().unwrap()).next().is_some();
            assert_eq!(outcome, found, "{local} in state {state} of {uid}, here {here}");
        }
    }

    #[test]
    fn an_address_in_use_is_reported() {
        let taken = TcpListener::bind((rig::port::unshared_address(), 0)).unwrap();
        let address = taken.local_addr().unwrap();
        assert!(bind(address).unwrap_err().to_string().contains("in use"));
        drop(taken);
        assert_eq!(bind(address).unwrap().local_addr().unwrap(), address);
    }
}
