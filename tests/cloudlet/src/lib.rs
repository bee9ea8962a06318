//! AWS IoT Core for one machine.
