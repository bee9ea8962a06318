//! State of a topic filter on AWS's side of the session, as the database stores it.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};

use crate::qos::Qos;

/// An uncertain filter in the database. No quality of service has this number: it is SUBACK's code for a failure.
const UNCERTAIN: i64 = 0x80;

/// Whether AWS has a subscription to a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionState {
    /// AWS has granted it.
    Granted(Qos),
    /// AWS is being asked to subscribe or unsubscribe, and its answer may be lost. The request is repeated in any case.
    Uncertain,
}

impl SubscriptionState {
    /// Returns whether AWS delivers messages at this quality of service or a higher one.
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
    fn a_state_is_read_as_it_was_stored_and_a_failure_is_no_quality_of_service() {
        let granted = SubscriptionState::Granted;
        for (stored, state) in [
            (0, granted(Qos::AtMostOnce)),
            (1, granted(Qos::AtLeastOnce)),
            (2, granted(Qos::ExactlyOnce)),
            (UNCERTAIN, SubscriptionState::Uncertain),
            // No version wrote these; AWS is asked.
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
