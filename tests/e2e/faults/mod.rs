//! Promise 5 with everything going wrong at once: what was accepted arrives, once as a rule and in its order.
//!
//! `programs` publish numbered messages and remember which were accepted; `arrivals` are what AWS has taken responsibility
//! for: what the broker behind the cloudlet's front has acknowledged, as the front saw it. A subscriber behind that broker
//! would see less through no fault of gatepost's: Mosquitto acknowledges before it saves, so kill -9 and a wiped database
//! take messages from it that AWS, where a session outlives any server, would deliver.

mod arrivals;
mod chaos;
mod disk;
mod half_open;
mod power;
mod programs;
mod stage;
mod topic;

pub use disk::SmallDisk;
