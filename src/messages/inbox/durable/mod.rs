//! Durable subscriptions: their messages are stored until their program has acknowledged them.

pub(in crate::messages) mod deliver;
pub(in crate::messages) mod deliveries;
pub(in crate::messages) mod feed;
mod quota;
pub(in crate::messages) mod session_record;
pub(in crate::messages) mod sessions;
pub(in crate::messages) mod state;
pub(in crate::messages) mod subscribe;
pub(in crate::messages) mod subscription;
pub(in crate::messages) mod table;
#[cfg(test)]
mod tests;
