//! Bounds the requests that wait for AWS's acknowledgement.
//!
//! Such a request occupies a connection, and on the loopback listener callers without a token share one pool of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

/// Maximum number of waiting requests of one account.
const PER_ACCOUNT: usize = 32;

/// The number of waiting requests of each account.
#[derive(Debug, Default)]
pub struct AckWaiters(Rc<RefCell<HashMap<String, usize>>>);

/// A permit to wait; released when dropped.
#[derive(Debug)]
pub struct WaitPermit {
    waiters: Rc<RefCell<HashMap<String, usize>>>,
    account: String,
}

/// The account has as many waiting requests as it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooManyWaitersError {
    account: String,
}

impl fmt::Display for TooManyWaitersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has {PER_ACCOUNT} requests that wait for an acknowledgement, which is the maximum",
            self.account
        )
    }
}

impl AckWaiters {
    /// Acquires a permit for one more waiting request of `account`.
    ///
    /// # Errors
    /// If the account has as many waiting requests as it may.
    pub fn acquire(&self, account: String) -> Result<WaitPermit, TooManyWaitersError> {
        let mut waiters = self.0.borrow_mut();
        let count = waiters.entry(account.clone()).or_default();
        if *count >= PER_ACCOUNT {
            return Err(TooManyWaitersError { account });
        }
        *count += 1;
        Ok(WaitPermit {
            waiters: self.0.clone(),
            account,
        })
    }
}

impl Drop for WaitPermit {
    fn drop(&mut self) {
        let mut waiters = self.waiters.borrow_mut();
        if let Some(count) = waiters.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                waiters.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_has_its_own_permits_and_releases_them() {
        let waiters = AckWaiters::default();
        let permits: Vec<WaitPermit> = (0..PER_ACCOUNT).map(|_| waiters.acquire("a".into()).unwrap()).collect();
        assert!(waiters.acquire("a".into()).is_err() && waiters.acquire("b".into()).is_ok());
        drop(permits);
        assert!(waiters.acquire("a".into()).is_ok());
        assert!(waiters.0.borrow().is_empty());
    }
}
