//! The credentials provider: HTTPS with the device's certificate, and temporary credentials by role alias.

mod answer;
mod body;
mod client;
mod issue;
mod server;

pub(crate) use server::serve;
