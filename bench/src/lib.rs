//! The costs of gatepost, each figure next to its lower bound from the same run on the same machine.
//!
//! - [`caller`], [`load`]: programs that ask the socket, one or several at a time
//! - [`pace`]: one that asks at fixed times, so that no stall goes unseen
//! - [`storm`]: one that asks as fast as it can
//! - [`publishers`], [`mqtt_client`]: programs that publish; [`group_commit`] and [`mosquitto`] are what they have it beside
//! - [`floor`]: the least a server can do for the same answer
//! - [`start`], [`command`]: processes, from their start to an answer or to their end
//! - [`idle`], [`size`]: what it takes to do nothing
//! - [`sample`], [`table`]: the figures, and how they are shown
//!
//! A figure is no test: nothing here fails because something was slow.

pub mod caller;
pub mod command;
pub mod floor;
pub mod group_commit;
pub mod idle;
pub mod load;
pub mod mosquitto;
pub mod mqtt_client;
pub mod pace;
pub mod publishers;
pub mod sample;
pub mod size;
pub mod start;
pub mod storm;
pub mod table;
