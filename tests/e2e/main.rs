//! End-to-end tests: a real token, a real broker behind the local AWS IoT Core, and gatepostd as it is shipped.
//!
//! Each module tests one area; all of them use `support`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod aws_side;
mod bad_input;
mod check;
mod clock;
mod cloud_view;
mod command;
mod credentials;
mod credentials_files;
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
mod mqtt_clients;
mod mqtt_listener;
mod operator;
mod policy;
mod provisioning;
mod proxy;
mod recovery;
mod registry;
mod relay;
mod reload;
mod retire;
mod scripted_broker;
mod sdks;
mod secrets;
mod session;
mod shutdown;
mod sign;
mod skew;
mod socket;
mod states;
mod support;
mod systemd;
mod tokens;
mod web_tokens;
