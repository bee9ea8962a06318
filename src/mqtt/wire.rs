//! The data types of the protocol (MQTT 5.0, 1.5), read strictly and written.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::ProtocolError;

const CUT_SHORT: ProtocolError =
    ProtocolError::malformed("MQTT 5.0, 2.1.4", "a packet whose fields reach beyond its end");

/// Takes a packet's body apart; never reads past its end.
#[derive(Debug)]
pub(super) struct Reader(Bytes);

impl Reader {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(self) -> Bytes {
        self.0
    }

    pub(super) fn u8(&mut self) -> Result<u8, ProtocolError> {
        self.0.try_get_u8().map_err(|_| CUT_SHORT)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ProtocolError> {
        self.0.try_get_u16().map_err(|_| CUT_SHORT)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ProtocolError> {
        self.0.try_get_u32().map_err(|_| CUT_SHORT)
    }

    /// A packet identifier, which is never zero by this statement of the specification.
    pub(super) fn packet_id(&mut self, statement: &'static str) -> Result<u16, ProtocolError> {
        match self.u16()? {
            0 => Err(ProtocolError::forbidden(statement, "packet identifier 0")),
            id => Ok(id),
        }
    }

    /// A variable byte integer inside of a packet.
    pub(super) fn variable(&mut self) -> Result<u32, ProtocolError> {
        match variable(&self.0)? {
            Some((value, length)) => {
                self.0.advance(length);
                Ok(value)
            }
            None => Err(CUT_SHORT),
        }
    }

    /// Splits so many bytes off.
    pub(super) fn split(&mut self, length: usize) -> Result<Bytes, ProtocolError> {
        match length <= self.0.len() {
            true => Ok(self.0.split_to(length)),
            false => Err(CUT_SHORT),
        }
    }

    /// Binary data with its length before it.
    pub(super) fn binary(&mut self) -> Result<Bytes, ProtocolError> {
        let length = self.u16()?;
        self.split(length.into())
    }

    /// A UTF-8 string: well-formed, and without U+0000.
    pub(super) fn text(&mut self) -> Result<String, ProtocolError> {
        let bytes = self.binary()?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| ProtocolError::malformed("MQTT-1.5.4-1", "text that is not UTF-8"))?;
        match text.contains('\0') {
            true => Err(ProtocolError::malformed("MQTT-1.5.4-2", "text with U+0000")),
            false => Ok(text.to_owned()),
        }
    }
}

/// The variable byte integer at the beginning of `bytes` and its length; `None` where more bytes are needed.
pub(super) fn variable(bytes: &[u8]) -> Result<Option<(u32, usize)>, ProtocolError> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return match index > 0 && *byte == 0 {
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
            "MQTT 5.0, 1.5.5",
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

/// Writes binary data or text with its length; false, and nothing is written, where it is longer than the protocol allows.
pub(super) fn put_binary(to: &mut BytesMut, data: &[u8]) -> bool {
    let Ok(length) = u16::try_from(data.len()) else {
        return false;
    };
    to.put_u16(length);
    to.extend_from_slice(data);
    true
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
                assert_eq!(variable(&bytes[..cut]), Ok(None), "{value}");
            }
            assert_eq!(variable(&bytes), Ok(Some((u32::try_from(value).unwrap(), length))));
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
            assert!(variable(bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn text_is_utf_8_without_nul() {
        let read = |bytes: &'static [u8]| {
            let mut framed = BytesMut::new();
            put_binary(&mut framed, bytes);
            Reader::new(framed.freeze()).text().map_err(|error| error.statement)
        };
        assert_eq!(read("grüße".as_bytes()).as_deref(), Ok("grüße"));
        assert_eq!(read(b"a\0b"), Err("MQTT-1.5.4-2"));
        // Bytes that never occur, a surrogate (U+D800), an overlong slash, a character that is cut off.
        for bytes in [&b"\xff\xfe"[..], b"\xed\xa0\x80", b"\xc0\xaf", b"a\xe2\x82"] {
            assert_eq!(read(bytes), Err("MQTT-1.5.4-1"), "{bytes:02x?}");
        }
    }
}
