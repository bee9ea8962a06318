//! The costs of gatepost, each figure next to its lower bound from the same run on the same machine.
//!
//! - [`caller`], [`load`]: programs that send requests to the socket, one or several at a time
//! - [`pace`]: a program that sends requests at fixed times, so that no stall goes unseen
//! - [`storm`]: a program that sends requests as fast as it can
//! - [`publishers`], [`mqtt_client`], [`mqtt_load`]: programs that publish; [`group_commit`], [`append`] and [`mosquitto`] are the comparisons
//! - [`floor`]: the simplest server that sends the same response
//! - [`start`], [`command`]: processes, from their start to a response or to their end
//! - [`idle`], [`size`]: the resources of an idle daemon
//! - [`sample`], [`table`]: the figures and their presentation
//!
//! These are not tests: nothing here fails because something was slow.

pub mod append;
pub mod caller;
pub mod command;
pub mod floor;
pub mod group_commit;
pub mod idle;
pub mod load;
pub mod mosquitto;
pub mod mqtt_client;
pub mod mqtt_load;
pub mod pace;
pub mod publishers;
pub mod sample;
pub mod size;
pub mod start;
pub mod storm;
pub mod table;
