//! The test environment of gatepost: real tokens, a real certificate authority, real processes.
//!
//! - [`token`]: a SoftHSM token, and a software TPM behind tpm2-pkcs11, each private to its test
//! - [`fleet_ca`]: the customer's CA of just-in-time provisioning, made with the openssl command
//! - [`executable`]: programs and scripts that a test creates
//! - [`manager`]: a service manager for one service
//! - [`network`]: two hosts and a cable that can be cut, slow or half-open
//! - [`power_loss`]: a disk that loses data that was not synced
//! - [`process`]: a program under test: its output line by line, its signals and its exit
//! - [`thread_stopper`]: stops one thread of a program
//! - [`unix_http`]: HTTP over a Unix socket, well formed or deliberately not
//! - [`mod@unit`]: a control group as systemd makes one for a unit
//! - [`port`]: free ports for servers that must get the same port again
//! - [`wait`]: waits for conditions that another process fulfils
//!
//! All functions block. All values keep to their own temporary folder and to loopback, and clean up when they are dropped.
//! The error for a missing tool names its Debian package.

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
