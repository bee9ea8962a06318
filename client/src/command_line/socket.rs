//! The daemon's socket, where the command line names none.

/// The socket of a packaged daemon.
pub const DEFAULT_SOCKET: &str = "/run/gatepost/gatepost.sock";
/// The environment variable that names another socket.
pub const SOCKET_VARIABLE: &str = "GATEPOST_SOCKET";
