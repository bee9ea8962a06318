//! What gatepost's integration tests stand on: real tokens, a real certificate authority, real processes.
//!
//! - [`token`]: a SoftHSM token, and a software TPM behind tpm2-pkcs11, each private to its test
//! - [`fleet_ca`]: the customer's CA of just-in-time provisioning, made with the openssl command
//! - [`executable`]: programs and scripts that a test makes
//! - [`manager`]: a service manager, to one service
//! - [`network`]: two hosts and a cable that can be cut, slow or half-open
//! - [`power_loss`]: a disk that keeps what was synced, and forgets the rest
//! - [`process`]: a program under test, its output line by line, its signals and its end
//! - [`thread_stopper`]: one thread of a program, stopped
//! - [`unix_http`]: HTTP over a Unix socket, well formed or deliberately not
//! - [`mod@unit`]: a control group as systemd makes one for a unit
//! - [`port`]: free ports for servers that must have the same one again
//! - [`wait`]: conditions that another process makes true
//!
//! Everything is blocking, keeps to its own temporary folder and to loopback, and is gone when it is dropped.
//! A missing tool is an error that names the Debian package.

pub mod command;
pub mod executable;
pub mod fleet_ca;
pub mod manager;
pub mod network;
pub mod port;
pub mod power_loss;
pub mod process;
pub mod shell;
pub mod thread_stopper;
pub mod token;
pub mod unit;
pub mod unix_http;
pub mod user;
pub mod wait;
