//! Who waits for AWS's acknowledgements: a request that waits holds a connection, and on the loopback listener, where nobody
//! is known before he has asked, all share the connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use hyper::StatusCode;

use super::answer::ApiError;

/// Requests of one user that wait at once.
const PER_ACCOUNT: usize = 32;

/// How many wait, by account.
#[derive(Debug, Default)]
pub struct Waiting(Rc<RefCell<HashMap<String, usize>>>);

/// A place among them; given back when dropped.
#[derive(Debug)]
pub struct Place {
    waiting: Rc<RefCell<HashMap<String, usize>>>,
    account: String,
}

impl Waiting {
    /// A place for one more of `account`.
    ///
    /// # Errors
    /// When as many wait as may.
    pub fn enter(&self, account: String) -> Result<Place, ApiError> {
        let mut waiting = self.0.borrow_mut();
        let count = waiting.entry(account.clone()).or_default();
        if *count >= PER_ACCOUNT {
            let message =
                format!("{account} has {PER_ACCOUNT} requests that wait for an acknowledgement, which is the most");
            return Err(
                ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_waiting", message)
                    .hint("publish without wait=ack: a message that is answered 200 is kept until AWS has it"),
            );
        }
        *count += 1;
        Ok(Place {
            waiting: self.0.clone(),
            account,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.waiting.borrow_mut();
        if let Some(count) = waiting.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_does_not_take_anothers_places_and_gives_its_own_back() {
        let waiting = Waiting::default();
        let places: Vec<Place> = (0..PER_ACCOUNT).map(|_| waiting.enter("a".into()).unwrap()).collect();
        assert!(waiting.enter("a".into()).is_err() && waiting.enter("b".into()).is_ok());
        drop(places);
        assert!(waiting.enter("a".into()).is_ok());
        assert!(waiting.0.borrow().is_empty());
    }
}
