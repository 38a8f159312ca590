//! The topics in use, their routes, and when to ask for them again.

use std::sync::Arc;

use super::brokers::{BrokerId, Brokers};
use super::route::{RouteBroker, TopicRoute};
use crate::address::Address;
use crate::queue::MessageQueue;
use crate::sorted::{SortedMap, SortedSet, sort};
use crate::table::{Id, Table};
use crate::time::{Deadlines, Duration, Instant};

pub(crate) type TopicId = Id<Topic>;

/// A failing send asks for the route again, but not more often than this.
const LEAST_PAUSE: Duration = Duration::from_millis(200);
/// A topic that nobody used for so long is not refreshed any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Where a queue is, for fast look-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueuePlace {
    pub(crate) broker: BrokerId,
    pub(crate) queue_id: u32,
    /// How many of the places from this one on are of the same broker.
    pub(crate) run: u32,
}

impl QueuePlace {
    pub(crate) const fn new(broker: BrokerId, queue_id: u32) -> Self {
        Self { broker, queue_id, run: 1 }
    }

    /// Counts the runs of `places`.
    pub(crate) fn count_runs(places: &mut [Self]) {
        let mut next: Option<(BrokerId, u32)> = None;
        for place in places.iter_mut().rev() {
            place.run = next.filter(|(broker, _)| *broker == place.broker).map_or(1, |(_, run)| run + 1);
            next = Some((place.broker, place.run));
        }
    }
}

/// What a topic's route is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An unknown topic will be created by the first send, with so many queues: the default topic's route serves until then.
    Send { queues: u32 },
    /// The topic has to exist.
    Read,
}

/// How long a broker that is there keeps its place in a route whose name servers do not name it: brokers register each 30 s, or
/// each 60 s at the most (`BrokerConfig.registerNameServerPeriod`).
const KEPT_UNNAMED: Duration = Duration::from_secs(60);

/// A topic in use. `W` says who waits for its route.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    /// The route; `None` until one has come.
    pub(crate) route: Option<TopicRoute>,
    /// The route is the default topic's: the topic itself does not exist yet.
    pub(crate) inherited: bool,
    /// A message has been stored in the topic since its route was inherited.
    is_created: bool,
    /// The brokers that have said themselves that they have no such topic, since the route came.
    denied_by: SortedSet<Arc<str>>,
    /// Since when name servers do not name brokers that keep their places in the topic's own route.
    unnamed: SortedMap<Arc<str>, Instant>,
    /// The queues to send to.
    pub(crate) writable: Vec<QueuePlace>,
    /// Whether those are at more than one broker, so that a retry can go to another.
    pub(crate) has_several_brokers: bool,
    /// Where round robin goes on.
    pub(crate) cursor: u32,
    asked_at: Option<Instant>,
    asking: bool,
    /// When the question was asked whose answer is the route.
    learnt_at: Option<Instant>,
    used_at: Instant,
}

/// What is to be done about a topic whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// Its route is to be asked for.
    Due(TopicId),
    /// It is forgotten.
    Forgotten(Arc<str>),
}

/// The topics in use.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    table: Table<Topic>,
    by_name: SortedMap<Arc<str>, TopicId>,
    /// The one that was used last, which most often is the next one too.
    last_used: Option<TopicId>,
    /// When the route of each is asked for again: each has its own moment in the interval.
    refreshes: Deadlines,
    next_refresh: Option<Instant>,
}

impl Topics {
    pub(crate) fn find(&self, name: &str) -> Option<TopicId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn get(&self, id: TopicId) -> Option<&Topic> {
        self.table.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: TopicId) -> Option<&mut Topic> {
        self.table.get_mut(id)
    }

    /// The topic called `name`, which is in use from now on. `begin` gives where round robin begins, and after how long the
    /// route is asked for again the first time.
    pub(crate) fn using(&mut self, now: Instant, name: &Arc<str>, begin: impl FnOnce() -> (u32, Duration)) -> TopicId {
        if let Some(id) = self.last_used
            && let Some(topic) = self.table.get_mut(id)
            && topic.name == *name
        {
            topic.used_at = now;
            return id;
        }
        if let Some(&id) = self.by_name.get(name)
            && let Some(topic) = self.table.get_mut(id)
        {
            topic.used_at = now;
            self.last_used = Some(id);
            return id;
        }
        let (cursor, refresh) = begin();
        let id = self.table.insert(Topic {
            name: name.clone(),
            route: None,
            inherited: false,
            is_created: false,
            denied_by: SortedSet::new(),
            unnamed: SortedMap::new(),
            writable: Vec::new(),
            has_several_brokers: false,
            cursor,
            asked_at: None,
            asking: false,
            learnt_at: None,
            used_at: now,
        });
        self.by_name.insert(name.clone(), id);
        self.set_refresh(id, Some(now + refresh));
        id
    }

    fn set_refresh(&mut self, id: TopicId, at: Option<Instant>) {
        match at {
            Some(at) => self.refreshes.set(id.key(), at),
            None => self.refreshes.clear(id.key()),
        }
        self.next_refresh = self.refreshes.next();
    }

    /// Whether the route of `id` is to be asked for now; if so, it counts as being asked for.
    pub(crate) fn begin_asking(&mut self, now: Instant, id: TopicId) -> bool {
        let Some(topic) = self.table.get_mut(id).filter(|topic| !topic.asking) else {
            return false;
        };
        let too_soon = topic.route.is_some() && topic.asked_at.is_some_and(|at| now.since(at) < LEAST_PAUSE);
        if !too_soon {
            topic.asking = true;
            topic.asked_at = Some(now);
        }
        !too_soon
    }

    /// A broker has stored a message. Returns whether it has thereby created the topic, whose own route is then to be
    /// asked for, the first time at once.
    pub(crate) fn note_stored(&mut self, id: TopicId) -> bool {
        let Some(topic) = self.table.get_mut(id).filter(|topic| topic.inherited) else {
            return false;
        };
        if !std::mem::replace(&mut topic.is_created, true) {
            topic.asked_at = None;
        }
        true
    }

    /// An answer came, or none will.
    pub(crate) fn end_asking(&mut self, id: TopicId) {
        if let Some(topic) = self.table.get_mut(id) {
            topic.asking = false;
        }
    }

    /// Adds to a topic's new route the brokers that it lacks all of a sudden, though they are there: name servers that have
    /// started know each broker only once it has registered again, and a message would go to another queue meanwhile. A broker
    /// that says itself that it has no such topic is believed, and so are name servers that have not named it for long.
    pub(crate) fn keep_brokers(
        &mut self,
        now: Instant,
        id: TopicId,
        route: &mut TopicRoute,
        is_there: impl Fn(&RouteBroker) -> bool,
    ) {
        let Some(topic) = self.table.get_mut(id) else {
            return;
        };
        let named: SortedSet<Arc<str>> = route.brokers.iter().map(|broker| broker.name.clone()).collect();
        let mut kept = SortedSet::new();
        if let Some(known) = topic.route.as_ref().filter(|_| !topic.inherited) {
            for broker in known.brokers.iter().filter(|broker| !named.contains(&broker.name)) {
                let since = *topic.unnamed.get_or_insert_with(broker.name.clone(), || now);
                if now.since(since) < KEPT_UNNAMED && !topic.denied_by.contains(&broker.name) && is_there(broker) {
                    kept.insert(broker.name.clone());
                    route.brokers.push(broker.clone());
                }
            }
            route.queues.extend(known.queues.iter().filter(|queues| kept.contains(&queues.broker_name)).cloned());
        }
        sort(&mut route.brokers, |a, b| a.name.cmp(&b.name));
        sort(&mut route.queues, |a, b| a.broker_name.cmp(&b.broker_name));
        topic.unnamed.retain(|name, _| kept.contains(name));
    }

    /// Takes a new route. Returns the addresses in it that nobody has had before, by broker id.
    pub(crate) fn learn(
        &mut self,
        id: TopicId,
        route: TopicRoute,
        inherited: bool,
        brokers: &mut Brokers,
    ) -> Vec<(u64, Address)> {
        let mut new = Vec::new();
        let Some(topic) = self.table.get_mut(id) else {
            return new;
        };
        let ids: SortedMap<&str, BrokerId> =
            route.brokers.iter().map(|broker| (&*broker.name, brokers.learn(broker, &mut new))).collect();
        let places = route
            .writable()
            .into_iter()
            .filter_map(|(name, queue_id)| Some(QueuePlace::new(*ids.get(&**name)?, queue_id)));
        topic.writable = places.collect();
        QueuePlace::count_runs(&mut topic.writable);
        topic.has_several_brokers =
            topic.writable.first().is_some_and(|place| (place.run as usize) < topic.writable.len());
        topic.learnt_at = topic.asked_at;
        topic.inherited = inherited;
        topic.is_created &= inherited;
        topic.denied_by.clear();
        topic.route = Some(route);
        new
    }

    /// A broker has answered that it has no such topic: if the name servers agree, it has none.
    pub(crate) fn note_denied(&mut self, id: TopicId, broker: &Arc<str>) {
        if let Some(topic) = self.table.get_mut(id) {
            topic.denied_by.insert(broker.clone());
        }
    }

    /// The name servers know no such topic. They forget topics while brokers are away, and when they start: a route of the
    /// topic's own holds for each broker until that says so too. Gives what is left of it, if anything is.
    pub(crate) fn left_in_absence(&mut self, id: TopicId) -> Option<TopicRoute> {
        let topic = self.table.get_mut(id).filter(|topic| !topic.inherited)?;
        let denied_by = core::mem::take(&mut topic.denied_by);
        let mut left = topic.route.clone()?;
        left.brokers.retain(|broker| !denied_by.contains(&broker.name));
        left.queues.retain(|queues| !denied_by.contains(&queues.broker_name));
        if left.brokers.is_empty() {
            topic.route = None;
            topic.writable.clear();
            return None;
        }
        Some(left)
    }

    /// Forgets a topic at once; a route still being asked for will be ignored.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(id) = self.by_name.remove(name) {
            self.table.remove(id);
            self.set_refresh(id, None);
        }
    }

    /// When the next route is to be asked for again.
    pub(crate) const fn next_refresh(&self) -> Option<Instant> {
        self.next_refresh
    }

    /// A topic whose route is to be asked for again, and then after `interval` once more; or one that nobody has used lately,
    /// which is forgotten.
    pub(crate) fn pop_refresh(&mut self, now: Instant, interval: Duration) -> Option<Refresh> {
        let key = self.refreshes.pop_due(now)?;
        self.next_refresh = self.refreshes.next();
        let id = self.table.id_of(key)?;
        let unused = |topic: &Topic| !topic.asking && now.since(topic.used_at) >= FORGOTTEN_AFTER;
        if self.table.get(id).is_some_and(unused)
            && let Some(topic) = self.table.remove(id)
        {
            self.by_name.remove(&topic.name);
            return Some(Refresh::Forgotten(topic.name));
        }
        self.set_refresh(id, Some(now + interval));
        Some(Refresh::Due(id))
    }

    /// The brokers that some topic's route names.
    pub(crate) fn routed_brokers(&self, brokers: &Brokers) -> SortedSet<BrokerId> {
        let routes = self.table.iter().filter_map(|(_, topic)| topic.route.as_ref());
        routes.flat_map(|route| &route.brokers).filter_map(|broker| brokers.id_of(&broker.name)).collect()
    }
}

impl Topic {
    /// Whether its route is being asked for.
    pub(crate) const fn is_asking(&self) -> bool {
        self.asking
    }

    /// Whether the route is as name servers had it at `moment` or later.
    pub(crate) fn is_newer_than(&self, moment: Instant) -> bool {
        self.learnt_at.is_some_and(|at| at >= moment)
    }

    /// The queue at `place`, as users name it.
    pub(crate) fn queue(&self, place: QueuePlace, brokers: &Brokers) -> Option<MessageQueue> {
        let broker = brokers.get(place.broker)?;
        Some(MessageQueue { topic: self.name.clone(), broker_name: broker.name.clone(), queue_id: place.queue_id })
    }

    /// The queues to pull from.
    pub(crate) fn readable_queues(&self) -> Vec<MessageQueue> {
        let places = self.route.as_ref().map(TopicRoute::readable).unwrap_or_default();
        let queues = places.into_iter().map(|(broker_name, queue_id)| MessageQueue {
            topic: self.name.clone(),
            broker_name: broker_name.clone(),
            queue_id,
        });
        queues.collect()
    }
}

#[cfg(test)]
mod tests;
