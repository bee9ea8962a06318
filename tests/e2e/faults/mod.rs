//! Promises 5 and 13 while everything fails at once: accepted messages arrive, normally once and in order, in both directions.
//!
//! `programs` publish numbered messages over HTTP and MQTT, and behind a mosquitto that bridges, and record which were accepted; `tap`
//! sees what gatepost acknowledges to the bridge. `arrivals` are the messages for which AWS has taken responsibility: those that the
//! broker behind the cloudlet's front has acknowledged, as the front saw it. A subscriber of that broker would see less, through no fault
//! of gatepost's: Mosquitto acknowledges before it saves, so after kill -9 or with a wiped database it loses messages that AWS, where a
//! session outlives any server, would deliver. For the same reason only those messages from AWS count that gatepost has acknowledged:
//! `receivers`, whose sessions are kept, must have received each of them.

mod arrivals;
mod chaos;
mod disk;
mod fault;
mod half_open;
mod mqtt_connection;
mod power;
mod programs;
mod receivers;
mod scale;
mod stage;
mod tap;
mod topic;
mod traffic;

pub use disk::SmallDisk;
