//! Strictly reads, and writes, the data types of the protocol (MQTT 5.0, 1.5).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{ProtocolError, ProtocolVersion};

/// Maximum length of a packet: the range of a variable byte integer (MQTT 5.0, 2.1.4).
pub(super) const MAX_REMAINING: usize = 268_435_455;

/// Reads the body of a packet; never reads past its end.
#[derive(Debug)]
pub(super) struct Reader {
    bytes: Bytes,
    version: ProtocolVersion,
}

impl Reader {
    pub(super) fn new(bytes: Bytes, version: ProtocolVersion) -> Self {
        Self { bytes, version }
    }

    pub(super) fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Returns the statement to cite in this version.
    pub(super) fn cite(&self, v5: &'static str, v3: &'static str) -> &'static str {
        self.version.cite(v5, v3)
    }

    /// Changes the version, which CONNECT contains after its first fields.
    pub(super) fn set_version(&mut self, version: ProtocolVersion) {
        self.version = version;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the bytes that were not read yet.
    pub(super) fn rest(self) -> Bytes {
        self.bytes
    }

    pub(super) fn u8(&mut self) -> Result<u8, ProtocolError> {
        self.bytes.try_get_u8().map_err(|_| self.cut_short())
    }

    pub(super) fn u16(&mut self) -> Result<u16, ProtocolError> {
        self.bytes.try_get_u16().map_err(|_| self.cut_short())
    }

    pub(super) fn u32(&mut self) -> Result<u32, ProtocolError> {
        self.bytes.try_get_u32().map_err(|_| self.cut_short())
    }

    /// Reads a packet identifier, which must not be zero according to this statement of MQTT 5.0.
    pub(super) fn packet_id(&mut self, statement: &'static str) -> Result<u16, ProtocolError> {
        match self.u16()? {
            0 => {
                let statement = self.cite(statement, "MQTT-2.3.1-1");
                Err(ProtocolError::forbidden(statement, "packet identifier 0"))
            }
            id => Ok(id),
        }
    }

    /// Reads a variable byte integer inside a packet.
    pub(super) fn variable(&mut self) -> Result<u32, ProtocolError> {
        match variable(&self.bytes, self.version)? {
            Some((value, length)) => {
                self.bytes.advance(length);
                Ok(value)
            }
            None => Err(self.cut_short()),
        }
    }

    /// Splits off this number of bytes.
    pub(super) fn split(&mut self, length: usize) -> Result<Bytes, ProtocolError> {
        match length <= self.bytes.len() {
            true => Ok(self.bytes.split_to(length)),
            false => Err(self.cut_short()),
        }
    }

    /// Reads binary data that is preceded by its length.
    pub(super) fn binary(&mut self) -> Result<Bytes, ProtocolError> {
        let length = self.u16()?;
        self.split(length.into())
    }

    /// Reads a UTF-8 string, which must be well-formed and without U+0000.
    pub(super) fn text(&mut self) -> Result<String, ProtocolError> {
        let bytes = self.binary()?;
        let text = std::str::from_utf8(&bytes).map_err(|_| {
            ProtocolError::malformed(self.cite("MQTT-1.5.4-1", "MQTT-1.5.3-1"), "text that is not UTF-8")
        })?;
        match text.contains('\0') {
            true => Err(ProtocolError::malformed(
                self.cite("MQTT-1.5.4-2", "MQTT-1.5.3-2"),
                "text with U+0000",
            )),
            false => Ok(text.to_owned()),
        }
    }

    /// Fails if bytes are left.
    pub(super) fn finish(&self) -> Result<(), ProtocolError> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(ProtocolError::malformed(
                self.cite("MQTT 5.0, 2.1.4", "MQTT 3.1.1, 2.2.3"),
                "a packet with bytes after its end",
            )),
        }
    }

    fn cut_short(&self) -> ProtocolError {
        ProtocolError::malformed(
            self.cite("MQTT 5.0, 2.1.4", "MQTT 3.1.1, 2.2.3"),
            "a packet whose fields reach beyond its end",
        )
    }
}

/// Returns the variable byte integer at the beginning of `bytes` and its length; `None` if more bytes are needed.
pub(super) fn variable(bytes: &[u8], version: ProtocolVersion) -> Result<Option<(u32, usize)>, ProtocolError> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            // MQTT 3.1.1 has no such rule, and small devices use lengths of a fixed size.
            return match version == ProtocolVersion::V5 && index > 0 && *byte == 0 {
                true => Err(ProtocolError::malformed(
                    "MQTT-1.5.5-1",
                    "a length in more bytes than it needs",
                )),
                false => Ok(Some((value, index + 1))),
            };
        }
    }
    match bytes.len() < 4 {
        true => Ok(None),
        false => Err(ProtocolError::malformed(
            version.cite("MQTT 5.0, 1.5.5", "MQTT 3.1.1, 2.2.3"),
            "a length of more than four bytes",
        )),
    }
}

/// Writes a variable byte integer; the caller has checked that it fits four bytes.
pub(super) fn put_variable(to: &mut BytesMut, mut value: usize) {
    loop {
        let byte = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            return to.put_u8(byte);
        }
        to.put_u8(byte | 0x80);
    }
}

/// The reason why a packet cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// A text or binary field is longer than the protocol's 65,535 bytes, or the packet longer than 268,435,455.
    TooLong,
    /// The version has no such packet, or no such code in it.
    NotInVersion,
}

/// Writes binary data or text with its length.
pub(super) fn put_binary(to: &mut BytesMut, data: &[u8]) -> Result<(), EncodeError> {
    let length = u16::try_from(data.len()).map_err(|_| EncodeError::TooLong)?;
    to.put_u16(length);
    to.extend_from_slice(data);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_byte_integers_are_read_as_they_are_written() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455] {
            let mut bytes = BytesMut::new();
            put_variable(&mut bytes, value);
            let length = bytes.len();
            for cut in 0..length {
                assert_eq!(variable(&bytes[..cut], ProtocolVersion::V5), Ok(None), "{value}");
            }
            assert_eq!(
                variable(&bytes, ProtocolVersion::V5),
                Ok(Some((u32::try_from(value).unwrap(), length)))
            );
        }
    }

    #[test]
    fn variable_byte_integers_that_are_too_long_are_malformed() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0x80, 0x00],
            &[0x80; 4],
            &[0xff, 0xff, 0xff, 0xff, 0x01],
        ] {
            assert!(variable(bytes, ProtocolVersion::V5).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn text_is_utf_8_without_nul() {
        let read = |bytes: &'static [u8]| {
            let mut framed = BytesMut::new();
            put_binary(&mut framed, bytes).unwrap();
            Reader::new(framed.freeze(), ProtocolVersion::V5)
                .text()
                .map_err(|error| error.statement)
        };
        assert_eq!(read("grüße".as_bytes()).as_deref(), Ok("grüße"));
        assert_eq!(read(b"a\0b"), Err("MQTT-1.5.4-2"));
        // Bytes that never occur, a surrogate (U+D800), an overlong slash, a truncated character.
        for bytes in [&b"\xff\xfe"[..], b"\xed\xa0\x80", b"\xc0\xaf", b"a\xe2\x82"] {
            assert_eq!(read(bytes), Err("MQTT-1.5.4-1"), "{bytes:02x?}");
        }
    }
}
