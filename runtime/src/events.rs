//! What happened to a client, for those who follow it.

use std::collections::VecDeque;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use stgclient_core::sorted::SortedSet;

use futures_core::Stream;
use stgclient_core::client::ClientEvent;
use stgclient_core::notice::{Notice, Severity};

use crate::effects::Effects;
use crate::sync::{Mutex, Seated, Wakers, lock};

/// How many events wait for one who follows; of more, the oldest are left out and counted.
const MOST: usize = 256;

/// How many warnings are remembered that have been told. Of more, some are told again.
const MOST_SAID: usize = 256;

/// A stream of what happens to a client, from [`Client::events`](crate::Client::events). It ends when the client is closed.
///
/// Up to 256 events wait to be taken; of more the oldest are left out, and [`ClientEvent::Missed`] says how many.
#[must_use = "events come only to who takes them"]
pub struct Events {
    feed: Arc<Feed>,
    /// Where whoever polls the stream waits.
    seat: Option<usize>,
}

impl Events {
    /// The next event; `None` once the client is closed and all have been taken.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        self.feed.next().await
    }
}

impl Stream for Events {
    type Item = ClientEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        let this = &mut *self;
        let mut next = this.feed.next().in_seat(this.seat);
        let polled = Pin::new(&mut next).poll(context);
        this.seat = next.keep_seat();
        polled
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("waiting", &lock(&self.feed.0).waiting.len()).finish_non_exhaustive()
    }
}

/// Where events wait for one who follows.
#[derive(Debug, Default)]
struct Feed(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<ClientEvent>,
    /// How many were left out since the last that was taken.
    missed: u64,
    is_over: bool,
    /// The warnings that have been told.
    said: SortedSet<String>,
    follower: Wakers,
}

impl Inner {
    fn push(&mut self, event: ClientEvent) {
        if self.waiting.len() == MOST {
            self.waiting.pop_front();
            self.missed += 1;
        }
        self.waiting.push_back(event);
    }

    fn take(&mut self) -> Option<Option<ClientEvent>> {
        match std::mem::take(&mut self.missed) {
            0 => match self.waiting.pop_front() {
                None => self.is_over.then_some(None),
                event => Some(event),
            },
            missed => Some(Some(ClientEvent::Missed(missed))),
        }
    }
}

impl Feed {
    fn next(&self) -> Seated<'_, Inner, Option<ClientEvent>> {
        Seated::new(&self.0, |inner| &mut inner.follower, Inner::take)
    }
}

/// Those who follow a client.
#[derive(Default)]
pub(crate) struct Followers {
    feeds: Vec<Weak<Feed>>,
    is_over: bool,
}

impl Followers {
    /// One more, who is told `first` at once.
    pub(crate) fn follow(&mut self, first: impl Iterator<Item = ClientEvent>) -> Events {
        let feed = Arc::<Feed>::default();
        let mut inner = lock(&feed.0);
        first.for_each(|event| inner.push(event));
        inner.is_over = self.is_over;
        drop(inner);
        // Those who are gone make room.
        self.feeds.retain(|feed| feed.strong_count() > 0);
        self.feeds.push(Arc::downgrade(&feed));
        Events { feed, seat: None }
    }

    /// Tells all.
    pub(crate) fn tell(&self, event: &ClientEvent, effects: &mut Effects) {
        for feed in self.feeds.iter().filter_map(Weak::upgrade) {
            let mut inner = lock(&feed.0);
            inner.push(event.clone());
            effects.wake(inner.follower.take());
        }
    }

    /// Tells a warning those who have not been told one of its kind about the same.
    pub(crate) fn warn(&self, notice: &Notice, effects: &mut Effects) {
        let is_warning = matches!(notice.severity, Severity::Error | Severity::Warn);
        if !is_warning || self.feeds.is_empty() {
            return;
        }
        let about = ["group", "topic", "queue", "address"].map(|name| notice.get(name).unwrap_or_default());
        let what = format!("{} {}", notice.what, about.join(" "));
        for feed in self.feeds.iter().filter_map(Weak::upgrade) {
            let mut inner = lock(&feed.0);
            if inner.said.len() >= MOST_SAID {
                inner.said.clear();
            }
            if inner.said.insert(what.clone()) {
                inner.push(ClientEvent::Warned(notice.clone()));
                effects.wake(inner.follower.take());
            }
        }
    }

    /// Nothing more happens.
    pub(crate) fn end(&mut self, effects: &mut Effects) {
        self.is_over = true;
        for feed in self.feeds.iter().filter_map(Weak::upgrade) {
            let mut inner = lock(&feed.0);
            inner.is_over = true;
            effects.wake(inner.follower.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_those_who_do_not_follow_any_more() {
        let mut followers = Followers::default();
        let _stays = followers.follow(std::iter::empty());
        for _ in 0..100 {
            drop(followers.follow(std::iter::empty()));
        }
        assert_eq!(followers.feeds.len(), 2, "one who stays, and the last who went");
    }
}
