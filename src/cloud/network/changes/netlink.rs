//! The layout of netlink(7) messages and their attributes.

/// Length of a message header (struct nlmsghdr).
pub(super) const HEADER: usize = 16;

/// Splits the first message off a datagram: its type, its body, and the rest of the datagram.
pub(super) fn split_message(datagram: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32_at(datagram, 0)?).ok()?;
    let body = datagram.get(HEADER..length)?;
    let rest = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((u16_at(datagram, 4)?, body, rest))
}

/// Returns the attributes with their types, up to the first malformed one.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let name = u16_at(bytes, 2)?;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((name, value))
    })
}

/// Reads a number at an offset, in the byte order of this machine.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

/// Reads a number at an offset, in the byte order of this machine.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}
