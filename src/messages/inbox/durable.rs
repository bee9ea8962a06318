//! Durable subscriptions: taken up, read, acknowledged, ended.

use std::rc::Rc;

use tokio::task::spawn_local;

use super::super::database::Database;
use super::super::delivery::feed;
use super::super::file::StoreError;
use super::super::kept::{Acknowledged, DurableSubscription, DurableSubscriptionDocument};
use super::super::store::Durability;
use super::super::streams::{Stream, Subscription};
use super::super::wanted::MAX_FILTERS;
use super::{Begun, Inbox, PER_READER, SubscribeError, Subscriber, TOTAL};

impl Inbox {
    /// A stream of the durable subscription `name`: what was kept for it, then what comes. It has one reader: a second one
    /// takes the place of the first.
    ///
    /// # Errors
    /// When it is somebody else's, or a limit is reached.
    pub async fn subscribe_kept(
        self: &Rc<Self>,
        subscriber: &Subscriber,
        name: &str,
    ) -> Result<Subscription, SubscribeError> {
        self.may_take_over(subscriber, name)?;
        let (wish, owned_name) = (subscriber.clone(), name.to_owned());
        let kept = self.store.run(Durability::Adds, move |database| {
            database.keep(&owned_name, &wish.owner, &wish.filter, wish.qos, &wish.accounts)
        });
        let kept = kept
            .await
            .map_err(|why| SubscribeError::Unusable(why.problem))?
            .map_err(SubscribeError::DurableSubscriptionError)?;
        let before = self.kept.borrow().clone();
        let same = |known: &DurableSubscription| known.name == kept.name && known.filter == kept.filter;
        if !before.iter().any(same) {
            self.new.borrow_mut().insert(kept.name.clone(), Begun::default());
        }
        self.kept.borrow_mut().retain(|known| known.name != kept.name);
        self.kept.borrow_mut().push(kept);
        self.judge_kept();
        let earlier: Vec<Rc<Stream>> = {
            let streams = self.streams.borrow();
            let same = |stream: &&Rc<Stream>| stream.kept.as_deref() == Some(name);
            streams.iter().filter(same).cloned().collect()
        };
        for stream in earlier {
            stream.end(
                "taken_over",
                "another reader of this durable subscription took its place",
                None,
            );
        }
        self.streams.borrow_mut().retain(|stream| !stream.has_ended());
        let subscription = self.join(subscriber, Some(name)).inspect_err(|_| {
            // Somebody else has come first. What did not exist before goes again; what did is as it was.
            let was = before.into_iter().find(|known| known.name == name);
            self.kept.borrow_mut().retain(|known| known.name != name);
            self.kept.borrow_mut().extend(was.clone());
            self.want();
            let (store, name) = (self.store.clone(), name.to_owned());
            let undo = move |database: &mut Database| match was {
                Some(was) => database.put_back(&was),
                None => database.unkeep(&name).map(drop),
            };
            spawn_local(async move { store.run(Durability::Writes, undo).await });
        })?;
        spawn_local(feed(
            self.store.clone(),
            self.stored.clone(),
            subscription.stream.clone(),
            name.to_owned(),
        ));
        Ok(subscription)
    }

    /// Whether `subscriber` may read the durable subscription `name` in the place of who reads it now. Nothing is changed
    /// for a caller who is then refused.
    fn may_take_over(&self, subscriber: &Subscriber, name: &str) -> Result<(), SubscribeError> {
        self.has_a_share_left(subscriber, Some(name))?;
        let of_others = |stream: &&Rc<Stream>| stream.kept.as_deref() != Some(name) && !stream.has_ended();
        let streams = self.streams.borrow();
        let (same_reader, all) = streams.iter().filter(of_others).fold((0, 0), |(same, all), stream| {
            (same + usize::from(stream.reader == subscriber.reader), all + 1)
        });
        if same_reader >= PER_READER || all >= TOTAL {
            return Err(SubscribeError::TooManyStreams(PER_READER));
        }
        let wanted = self.fewest_with(Some((name, subscriber)));
        if wanted.len() > MAX_FILTERS && !self.wanted.borrow().contains_key(&subscriber.filter) {
            return Err(SubscribeError::TooManyFilters(MAX_FILTERS));
        }
        Ok(())
    }

    /// The durable subscriptions.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn list_kept(&self) -> Result<Vec<DurableSubscriptionDocument>, StoreError> {
        let mut all = self
            .store
            .run(Durability::Reads, |database| Ok(database.list_kept()))
            .await?;
        for kept in &mut all {
            kept.suspended = self.is_suspended(kept.name());
        }
        Ok(all)
    }

    /// The program has everything up to number `up_to`.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn acknowledge_kept(&self, name: &str, up_to: i64) -> Result<Acknowledged, StoreError> {
        loop {
            let name = name.to_owned();
            let work = move |database: &mut Database| database.acknowledge_kept(&name, up_to);
            match self.store.run(Durability::Writes, work).await? {
                Acknowledged::More => {}
                done => return Ok(done),
            }
        }
    }

    /// Ends a durable subscription. False where there is none.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn unkeep(&self, name: &str) -> Result<bool, StoreError> {
        let owned = name.to_owned();
        let done = self
            .store
            .run(Durability::Lasts, move |database| database.unkeep(&owned))
            .await?;
        self.kept.borrow_mut().retain(|kept| kept.name != name);
        for stream in self
            .streams
            .borrow()
            .iter()
            .filter(|stream| stream.kept.as_deref() == Some(name))
        {
            stream.end("deleted", "the durable subscription was deleted", None);
        }
        self.judge_kept();
        self.want();
        Ok(done)
    }
}
