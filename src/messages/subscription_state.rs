//! The state of a topic filter in AWS's side of the session, as it is noted on the disk.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};

use crate::qos::Qos;

/// An uncertain filter in the database. SUBACK has the number for a failure, so it is no quality of service.
const UNCERTAIN: i64 = 0x80;

/// Whether AWS has a subscription to a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionState {
    /// AWS has granted it.
    Granted(Qos),
    /// AWS was asked for it, or to give it up, or is about to be, and its answer may be lost. It is asked again, whatever is
    /// wanted by then.
    Uncertain,
}

impl SubscriptionState {
    /// Whether AWS sends messages on the filter at this quality of service or a higher one.
    pub fn serves(self, qos: Qos) -> bool {
        matches!(self, Self::Granted(granted) if granted >= qos)
    }
}

impl ToSql for SubscriptionState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Granted(qos) => qos.number().into(),
            Self::Uncertain => UNCERTAIN.into(),
        })
    }
}

impl FromSql for SubscriptionState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = u8::try_from(i64::column_result(value)?).ok();
        Ok(number.and_then(Qos::from_number).map_or(Self::Uncertain, Self::Granted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_from_the_disk_and_no_failure_becomes_a_quality_of_service() {
        let granted = SubscriptionState::Granted;
        for (stored, state) in [
            (0, granted(Qos::AtMostOnce)),
            (1, granted(Qos::AtLeastOnce)),
            (2, granted(Qos::ExactlyOnce)),
            (UNCERTAIN, SubscriptionState::Uncertain),
            // Nothing that any version wrote: AWS is asked.
            (3, SubscriptionState::Uncertain),
            (0x87, SubscriptionState::Uncertain),
            (-1, SubscriptionState::Uncertain),
            (256, SubscriptionState::Uncertain),
            (i64::MAX, SubscriptionState::Uncertain),
        ] {
            assert_eq!(
                SubscriptionState::column_result(ValueRef::Integer(stored)),
                Ok(state),
                "{stored}"
            );
        }
        for (state, qos, serves) in [
            (granted(Qos::AtMostOnce), Qos::AtMostOnce, true),
            (granted(Qos::AtMostOnce), Qos::AtLeastOnce, false),
            (granted(Qos::AtLeastOnce), Qos::AtMostOnce, true),
            (granted(Qos::AtLeastOnce), Qos::AtLeastOnce, true),
            (SubscriptionState::Uncertain, Qos::AtMostOnce, false),
        ] {
            assert_eq!(state.serves(qos), serves, "{state:?} {qos:?}");
        }
    }
}
