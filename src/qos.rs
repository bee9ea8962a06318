//! MQTT quality of service.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};
use serde::{Serialize, Serializer};

/// Quality of service. Programs and AWS IoT support the first two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// 0: at most once, without an acknowledgement.
    #[default]
    AtMostOnce,
    /// 1: at least once, until it is acknowledged.
    AtLeastOnce,
    /// 2: exactly once. gatepost never requests it.
    ExactlyOnce,
}

impl Qos {
    /// Returns the quality of service of this number, if there is one.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// Returns its number in packets, in the database and in JSON.
    pub const fn number(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }
}

impl Serialize for Qos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

impl ToSql for Qos {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.number().into())
    }
}

impl FromSql for Qos {
    /// Reads an invalid number as the highest quality of service that AWS supports: the row was damaged, and an unnecessary
    /// acknowledgement does no harm.
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = i64::column_result(value)?;
        let known = u8::try_from(number).ok().and_then(Self::from_number);
        Ok(known.map_or(Self::AtLeastOnce, |qos| qos.min(Self::AtLeastOnce)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_one_quality_of_service_and_no_failure_code_is() {
        for number in 0..=u8::MAX {
            let qos = Qos::from_number(number);
            assert_eq!(qos.is_some(), number <= 2, "{number}");
            assert!(qos.is_none_or(|qos| qos.number() == number));
        }
        assert!(Qos::AtMostOnce < Qos::AtLeastOnce && Qos::AtLeastOnce < Qos::ExactlyOnce);
    }

    #[test]
    fn a_stored_qos_is_read_within_awss_levels() {
        for (stored, read) in [
            (0, Qos::AtMostOnce),
            (1, Qos::AtLeastOnce),
            (2, Qos::AtLeastOnce),
            (128, Qos::AtLeastOnce),
            (-1, Qos::AtLeastOnce),
            (i64::MAX, Qos::AtLeastOnce),
        ] {
            assert_eq!(Qos::column_result(ValueRef::Integer(stored)), Ok(read), "{stored}");
        }
        assert!(Qos::column_result(ValueRef::Text(b"1")).is_err());
    }
}
