//! gatepost keeps one gateway's identity: the private key in a TPM or PKCS#11 token, the certificate that AWS IoT Core
//! knows it by, one persistent MQTT session, and temporary AWS credentials that are always fresh.
//!
//! # Map of the modules
//!
//! Three faces around one identity: [`token`] is what the hardware sees, [`cloud`] what AWS sees, [`local`] what programs
//! on the gateway see. Each has a thread of its own, so that none can stall another: the token's owner waits for the
//! hardware, the cloud wing for the network and for signatures, the local wing for nobody. They meet in snapshots
//! ([`credentials`], [`status`]), where the last value wins, and in [`messages`], where nothing may be lost: what programs
//! publish and subscribe to is on the disk, which a fourth thread waits for.
//!
//! [`daemon`] starts it all, on one screen. What the administrator says is in [`config`]; who the gateway is, in
//! [`identity`]; what can be wrong and who can mend it, in [`problem`].
//!
//! Each room stands only on those below it:
//!
//! ```text
//! main
//! daemon | check | last_end | check_config | allow | install_certificate | support | prepare_token | print_policy | arguments | systemd | service | hardening
//! socket_client
//! local | cloud                     never import each other
//! identity | timekeeper | subordinate
//! config
//! token                            the configuration speaks its words: key URI, algorithms
//! sigv4 | pem_file | redaction
//! mqtt                             the protocol without input and output
//! overview                         the one verdict on all parts
//! messages | credentials
//! status
//! problem | event | foreign_text | build_info | pulse | retry | clock | backoff | failure_streak | secret | sealed | topic | percent | durable | new_file | regular_file | user_accounts | qos
//! logging | log_limiter
//! ```
//!
//! docs/architecture.md says where to add what.

pub mod allow;
pub mod arguments;
pub mod atomic_file;
pub mod backoff;
pub mod build_info;
pub mod check;
pub mod check_config;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod credentials;
pub mod daemon;
pub mod event;
pub mod failure_streak;
pub mod foreign_text;
pub mod hardening;
pub mod heartbeat;
pub mod identity;
pub mod install_certificate;
pub mod last_end;
pub mod local;
pub mod log_limiter;
pub mod logging;
pub mod messages;
pub mod mqtt;
pub mod new_file;
pub mod overview;
pub mod pem_file;
pub mod percent;
pub mod prepare_token;
pub mod print_policy;
pub mod problem;
pub mod qos;
pub mod redaction;
pub mod regular_file;
pub mod retry;
pub mod sealed;
pub mod secret;
pub mod service;
pub mod sigv4;
pub mod socket_client;
pub mod status;
pub mod subordinate;
pub mod support;
pub mod systemd;
pub mod timekeeper;
pub mod token;
pub mod topic;
pub mod user_accounts;
