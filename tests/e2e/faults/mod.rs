//! Promise 5 while everything fails at once: accepted messages arrive, normally once and in order.
//!
//! `programs` publish numbered messages and record which were accepted. `arrivals` are the messages for which AWS has taken responsibility:
//! those that the broker behind the cloudlet's front has acknowledged, as the front saw it. A subscriber of that broker would see less,
//! through no fault of gatepost's: Mosquitto acknowledges before it saves, so after kill -9 or with a wiped database it loses messages that
//! AWS, where a session outlives any server, would deliver.

mod arrivals;
mod chaos;
mod disk;
mod half_open;
mod power;
mod programs;
mod stage;
mod topic;

pub use disk::SmallDisk;
