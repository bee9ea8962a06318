//! The data types of the protocol (OASIS MQTT 5.0, 1.5).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Malformed;

/// The largest variable byte integer.
pub(super) const MAX_VARINT: u32 = 268_435_455;

/// Reads the body of a packet; never reads past its end.
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

    pub(super) fn finish(self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed("bytes after the end"))
        }
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.0.try_get_u8().map_err(|_| Malformed("cut short"))
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.0.try_get_u16().map_err(|_| Malformed("cut short"))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.0.try_get_u32().map_err(|_| Malformed("cut short"))
    }

    /// Reads a packet identifier, which is never zero.
    pub(super) fn packet_id(&mut self) -> Result<u16, Malformed> {
        match self.u16()? {
            0 => Err(Malformed("packet identifier 0")),
            id => Ok(id),
        }
    }

    pub(super) fn varint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                // 1.5.5: the encoding must use the minimum number of bytes.
                return if shift > 0 && byte == 0 {
                    Err(Malformed("overlong integer"))
                } else {
                    Ok(value)
                };
            }
        }
        Err(Malformed("integer of more than four bytes"))
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if self.0.len() < length {
            Err(Malformed("cut short"))
        } else {
            Ok(self.0.split_to(length))
        }
    }

    pub(super) fn binary(&mut self) -> Result<Bytes, Malformed> {
        let length = self.u16()?;
        self.bytes(usize::from(length))
    }

    pub(super) fn string(&mut self) -> Result<String, Malformed> {
        let text = String::from_utf8(self.binary()?.to_vec()).map_err(|_| Malformed("a string that is not UTF-8"))?;
        if text.contains('\0') {
            Err(Malformed("a string with U+0000"))
        } else {
            Ok(text)
        }
    }
}

/// Builds the body of a packet. Strings and binary data are at most 65535 bytes long, because they were received with a length of two
/// bytes.
pub(super) trait Put: BufMut {
    fn put_binary(&mut self, bytes: &[u8]) {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.put_u16(length);
        self.put_slice(bytes.get(..usize::from(length)).unwrap_or(bytes));
    }

    fn put_string(&mut self, text: &str) {
        self.put_binary(text.as_bytes());
    }

    fn put_varint(&mut self, value: u32) {
        let mut rest = value.min(MAX_VARINT);
        loop {
            let low = (rest & 0x7F) as u8;
            rest >>= 7;
            self.put_u8(if rest > 0 { low | 0x80 } else { low });
            if rest == 0 {
                return;
            }
        }
    }
}

impl Put for BytesMut {}
