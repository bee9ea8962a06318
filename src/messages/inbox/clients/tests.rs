//! The filters of MQTT clients: what AWS is asked for, and what each client hears of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::clock::SharedClock;
use crate::clock::manual::ManualClock;
use crate::messages::message::Received;
use crate::messages::owner::Owner;
use crate::messages::{AckGuard, Bounds, Inbox, spawn};
use crate::problem::Problem;
use crate::qos::Qos;
use crate::status::{MessagesDetails, MessagesPhase, StatusHub};

/// An inbox, and the filters that no rule allows.
struct Bench {
    inbox: Rc<Inbox>,
    forbidden: Rc<RefCell<BTreeSet<String>>>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: SharedClock = ManualClock::at(1_893_456_000);
        let hub = StatusHub::new(clock.clone());
        let reporter = hub.reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
        let handles = spawn(folder.path(), Bounds::default(), clock, reporter).unwrap();
        Self {
            inbox: handles.inbox,
            forbidden: Rc::default(),
            _folder: folder,
        }
    }

    fn state(&self) -> &Rc<InboxState> {
        &self.inbox.state
    }

    fn client(&self, name: &str) -> ClientInbox {
        let forbidden = self.forbidden.clone();
        let client = Client {
            reader: name.into(),
            name: name.into(),
            durable_name: None,
            signal: Rc::default(),
            is_allowed: Box::new(move |filter| !forbidden.borrow().contains(filter)),
        };
        open(self.state(), client)
    }

    fn add(&self, client: &ClientInbox, filter: &str, qos: Qos, most: usize) -> Result<(), SubscribeError> {
        let subscriber = Subscriber {
            reader: client.queue.reader.to_string(),
            owner: Owner::User { uid: 1, gid: Some(1) },
            accounts: Arc::default(),
            filter: filter.to_owned(),
            qos,
            max_filters: most,
        };
        add_filter(self.state(), client, &subscriber, &stored(filter, qos), false)
    }

    fn desired(&self) -> Vec<(String, Qos)> {
        let desired = self.state().desired.borrow();
        desired.iter().map(|(filter, one)| (filter.clone(), one.qos)).collect()
    }
}

fn stored(filter: &str, qos: Qos) -> SessionFilter {
    SessionFilter {
        filter: filter.to_owned(),
        is_qos_1: qos > Qos::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
        identifier: None,
    }
}

fn events(client: &ClientInbox) -> Vec<FilterEvent> {
    std::iter::from_fn(|| client.next_event()).collect()
}

fn granted(filters: &[&str]) -> Vec<FilterEvent> {
    filters
        .iter()
        .map(|filter| FilterEvent::Granted((*filter).to_owned()))
        .collect()
}

const ZERO: Qos = Qos::AtMostOnce;
const ONE: Qos = Qos::AtLeastOnce;

#[tokio::test]
async fn aws_is_asked_for_what_covers_all_and_each_client_hears_of_its_own_filters() {
    let bench = Bench::new();
    let (first, second) = (bench.client("first"), bench.client("second"));
    bench.add(&first, "a/b", ONE, 50).unwrap();
    bench.add(&second, "a/#", ZERO, 50).unwrap();
    bench.add(&second, "c", ZERO, 50).unwrap();
    assert_eq!(bench.desired(), [("a/#".to_owned(), ONE), ("c".to_owned(), ZERO)]);
    // The answer about a filter that covers others is theirs as well, and comes once.
    confirm(bench.state(), "a/#");
    confirm(bench.state(), "a/#");
    assert_eq!(
        (events(&first), events(&second)),
        (granted(&["a/b"]), granted(&["a/#"]))
    );
    confirm(bench.state(), "c");
    assert_eq!((events(&first), events(&second)), (Vec::new(), granted(&["c"])));
    // After a new session of AWS each of them is awaited again.
    start_session(bench.state());
    confirm(bench.state(), "a/#");
    assert_eq!(
        (events(&first), events(&second)),
        (granted(&["a/b"]), granted(&["a/#"]))
    );
    // Without the one that covers it, AWS is asked for the other.
    assert!(remove_filter(bench.state(), &second, "a/#"));
    assert!(!remove_filter(bench.state(), &second, "a/#"));
    assert_eq!(bench.desired(), [("a/b".to_owned(), ONE), ("c".to_owned(), ZERO)]);
    drop(first);
    assert_eq!(bench.desired(), [("c".to_owned(), ZERO)]);
}

#[tokio::test]
async fn a_filter_that_aws_has_granted_in_a_wider_one_is_granted_at_once() {
    let bench = Bench::new();
    let (first, second) = (bench.client("first"), bench.client("second"));
    bench.add(&first, "a/#", ONE, 50).unwrap();
    bench.state().granted.borrow_mut().insert("a/#".to_owned());
    for (filter, expected) in [
        ("a/b", granted(&["a/b"])),
        ("a/+", granted(&["a/+"])),
        ("a/b/c", granted(&["a/b/c"])),
        ("b", Vec::new()),
        ("#", Vec::new()),
    ] {
        bench.add(&second, filter, ZERO, 50).unwrap();
        assert_eq!(events(&second), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_filter_that_aws_refuses_is_gone_for_all_who_have_it_and_others_stay() {
    let bench = Bench::new();
    let (first, second) = (bench.client("first"), bench.client("second"));
    for client in [&first, &second] {
        bench.add(client, "a", ONE, 50).unwrap();
    }
    bench.add(&second, "b", ONE, 50).unwrap();
    let why = Problem::configuration("not authorized");
    refuse(bench.state(), "a", &why);
    for client in [&first, &second] {
        assert_eq!(events(client), [FilterEvent::Refused("a".to_owned(), why.clone())]);
    }
    refuse(bench.state(), "a", &why);
    assert!(events(&first).is_empty() && events(&second).is_empty());
    let offer = |topic: &str| {
        let message = Arc::new(Received {
            topic: topic.to_owned(),
            qos: ONE,
            ..Received::default()
        });
        for client in [&first, &second] {
            client
                .queue
                .offer(&message, &AckGuard::none(), bench.state().clock.boot());
        }
        [&first, &second].map(|client| client.next_message().is_some())
    };
    assert_eq!(offer("a"), [false, false]);
    assert_eq!(offer("b"), [false, true]);
}

#[tokio::test]
async fn each_limit_has_its_error_and_leaves_what_was_there() {
    let bench = Bench::new();
    let (first, second) = (bench.client("first"), bench.client("second"));
    // A share of two.
    for filter in ["a", "b", "a"] {
        bench.add(&first, filter, ZERO, 2).unwrap();
    }
    let error = bench.add(&first, "c", ZERO, 2).unwrap_err();
    assert!(matches!(error, SubscribeError::TooManyOfReader(2)), "{error:?}");
    // All that AWS takes.
    for number in 0..MAX_FILTERS - 2 {
        bench.add(&second, &format!("n/{number}"), ZERO, 100).unwrap();
    }
    let error = bench.add(&second, "one more", ZERO, 100).unwrap_err();
    assert!(
        matches!(error, SubscribeError::TooManyFilters(MAX_FILTERS)),
        "{error:?}"
    );
    assert_eq!(bench.desired().len(), MAX_FILTERS);
    assert!(!second.queue.filters.borrow().contains_key("one more"));
    // One that is there already may change.
    bench.add(&second, "n/0", ONE, 100).unwrap();
    assert!(bench.desired().contains(&("n/0".to_owned(), ONE)));
    // A client that was cut off must wait, and others need not.
    bench.inbox.ban_client(&first);
    let error = bench.add(&first, "a", ZERO, 2).unwrap_err();
    assert!(matches!(error, SubscribeError::Banned(_)), "{error:?}");
    bench.add(&second, "n/1", ZERO, 100).unwrap();
}

#[tokio::test]
async fn filters_that_no_rule_allows_are_neither_restored_nor_kept() {
    let bench = Bench::new();
    let client = bench.client("first");
    bench.forbidden.borrow_mut().insert("b".to_owned());
    for filter in ["a", "b", "c"] {
        restore_filter(bench.state(), &client, &stored(filter, ONE));
    }
    let known = || client.queue.filters.borrow().keys().cloned().collect::<Vec<_>>();
    assert_eq!(known(), ["a", "c"]);
    // What was restored has been granted before.
    confirm(bench.state(), "a");
    assert!(events(&client).is_empty());
    bench.forbidden.borrow_mut().insert("c".to_owned());
    recheck_permissions(bench.state());
    assert_eq!(events(&client), [FilterEvent::NotAllowed("c".to_owned())]);
    assert_eq!(known(), ["a"]);
    recheck_permissions(bench.state());
    assert!(events(&client).is_empty());
}
