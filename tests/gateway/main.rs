//! The daemon from outside: a real token, a real broker behind the local AWS IoT Core, and gatepostd as it is shipped.
//!
//! Each module is a room of promises; `world` is what they all stand on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod aws_side;
mod bad_input;
mod check;
mod clock;
mod cloud_view;
mod command;
mod credentials;
mod dashboard;
mod demo;
mod enrolment;
mod faketime;
mod faults;
mod first_boot;
mod last_good;
mod loopback;
mod messages;
mod metrics;
mod misplaced_key;
mod operator;
mod policy;
mod programs;
mod provisioning;
mod recovery;
mod registry;
mod relay;
mod reload;
mod retire;
mod scripted_broker;
mod secrets;
mod session;
mod shutdown;
mod sign;
mod skew;
mod socket;
mod states;
mod systemd;
mod tokens;
mod world;
