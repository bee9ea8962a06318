//! gatepost gives an AWS IoT gateway its identity. It keeps the private key in a TPM or another PKCS#11 token, obtains the
//! certificate that AWS IoT Core knows the gateway by, holds the one MQTT session that AWS allows for it, and refreshes temporary AWS
//! credentials. Programs on the gateway use all of this through a Unix socket or a loopback listener, as far as access rules allow.
//!
//! # Modules
//!
//! Three modules face the outside, each on a thread of its own so that none can delay another: [`token`] talks to the hardware,
//! [`cloud`] to AWS, and [`local`] to programs on the gateway. The token thread waits for the hardware and the cloud thread for the
//! network; the local thread, which is the main thread, never waits.
//!
//! The threads share state in [`status`] and [`credentials`], where the last value wins. Messages of programs must not be lost, so
//! [`messages`] stores them in a database, which a fourth thread waits for.
//!
//! [`daemon`] starts the threads, [`config`] reads the configuration, [`identity`] combines key and certificate, and [`problem`]
//! defines how errors are reported: what is wrong, who can fix it, and how.
//!
//! Modules are arranged in layers; each imports only from layers below its own, and a test enforces this. docs/architecture.md lists
//! the layers, describes every module, and says where to add what.

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
pub mod instance_lock;
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
pub mod stdout;
pub mod subordinate;
pub mod support;
pub mod systemd;
pub mod timekeeper;
pub mod token;
pub mod topic;
pub mod user_accounts;
