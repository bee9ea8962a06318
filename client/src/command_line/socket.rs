//! The default socket of the daemon.

/// The socket of a packaged daemon.
pub const DEFAULT_SOCKET: &str = "/run/gatepost/gatepost.sock";
/// The environment variable that names another socket.
pub const SOCKET_VARIABLE: &str = "GATEPOST_SOCKET";
