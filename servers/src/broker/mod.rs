//! A broker: a master that keeps its messages in memory.

mod admin;
mod asks;
mod attributes;
mod consumption;
mod delays;
mod filter;
mod find;
mod group_admin;
mod group_settings;
mod groups;
mod heartbeats;
mod holds;
mod index;
mod locks;
mod log;
mod member_queries;
mod moved_offsets;
mod offsets;
mod page;
mod positions;
mod properties;
mod pull;
mod pulled;
mod queries;
mod queue;
mod runtime_info;
mod send;
mod send_back;
mod settings;
mod store;
mod topic_names;
mod topics;

use std::net::SocketAddr;

use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::HeartbeatAnswer;

use super::budget::{Budget, Charge};
use super::config::BrokerConfig;
use super::force::Force;
use super::forces::Forces;
use super::named::Named;
use super::output::Outputs;
use super::peer::Peer;
use super::reply;
use super::request_faults::RequestFaults;
use asks::Asks;
use delays::Delays;
use group_settings::GroupSettings;
use groups::Groups;
use holds::Holds;
use index::Index;
use locks::Locks;
use log::Log;
use member_queries::Purpose;
use offsets::GroupOffsets;
use pulled::PulledSubscriptions;
use runtime_info::Counters;
use topics::Topics;

pub(super) use topics::TopicConfig;

/// The connection that a request came on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) peer: Peer,
    /// The client's end.
    pub(super) address: SocketAddr,
}

/// A broker of a [`Cluster`](super::Cluster).
#[derive(Debug)]
pub struct Broker {
    config: BrokerConfig,
    dialect: Dialect,
    /// The cluster's name.
    cluster: String,
    store_host: SocketAddr,
    started: Now,
    /// What this broker and the other servers may keep besides messages.
    budget: Budget,
    topics: Topics,
    log: Log,
    index: Index,
    delays: Delays,
    offsets: GroupOffsets,
    /// How far groups have pulled, as administrators see it.
    pull_offsets: GroupOffsets,
    /// Where administrators have set groups that have not pulled since.
    reset_offsets: GroupOffsets,
    group_settings: GroupSettings,
    groups: Groups,
    /// The fingerprint of each group's last heartbeat (`consumerGroupHeartbeatTable`).
    fingerprints: Named<(i32, Charge)>,
    pulled: PulledSubscriptions,
    asks: Asks<Purpose>,
    locks: Locks,
    holds: Holds,
    counters: Counters,
    /// A message was longer than smartgo's brokers store, and whatever is to be stored has to wait for ever, since
    /// `CommitLog.putMessage` has kept its mutex. Ends with the process.
    is_jammed: bool,
    forces: Forces,
}

/// Whether a request stores a message.
const fn stores(code: RequestCode) -> bool {
    use RequestCode as Code;
    matches!(code, Code::SEND_MESSAGE | Code::SEND_MESSAGE_V2 | Code::SEND_BATCH_MESSAGE | Code::CONSUMER_SEND_MSG_BACK)
}

/// How many of what a broker holds at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerUsage {
    /// Bytes of messages and of what it takes to find them.
    pub message_bytes: usize,
    /// Messages that are kept.
    pub messages: usize,
    /// Topics, those included that every broker has.
    pub topics: usize,
    /// Pulls that wait for messages.
    pub held_pulls: usize,
}

impl Broker {
    pub(super) fn new(now: Now, cluster: &str, dialect: Dialect, config: BrokerConfig, budget: &Budget) -> Self {
        let limits = config.limits;
        Self {
            dialect,
            cluster: cluster.into(),
            store_host: config.store_host(),
            started: now,
            budget: budget.clone(),
            topics: Topics::new(cluster, dialect, &config, budget),
            log: Log::new(dialect, limits.message_bytes),
            index: Index::default(),
            delays: Delays::default(),
            offsets: GroupOffsets::new(budget),
            pull_offsets: GroupOffsets::new(budget),
            reset_offsets: GroupOffsets::new(budget),
            group_settings: GroupSettings::new(now, config.auto_create_groups, budget),
            groups: Groups::new(budget),
            fingerprints: Named::default(),
            pulled: PulledSubscriptions::new(budget),
            asks: Asks::new(dialect),
            locks: Locks::new(budget),
            holds: Holds::new(dialect, limits.held_pulls),
            counters: Counters::default(),
            is_jammed: false,
            forces: Forces::default(),
            config,
        }
    }

    /// The broker's name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The broker's address, as routes name it.
    pub fn address(&self) -> &str {
        &self.config.address
    }

    /// Makes the broker treat requests as a test wants it.
    pub fn force(&mut self, force: Force) {
        self.forces.add(force);
    }

    /// As `force`, in place of what the broker was forced to for the same codes; one of no times takes that back.
    pub fn force_instead(&mut self, force: Force) {
        self.forces.replace(force);
    }

    /// Draws faults from now on, from this seed, for requests that it is not forced to treat in some way.
    pub fn draw_faults(&mut self, faults: &RequestFaults, seed: u64) {
        self.forces.draw(faults, seed);
    }

    /// Takes back everything that the broker was forced to, and draws no more faults.
    pub fn clear_forces(&mut self) {
        self.forces.clear();
    }

    /// What the broker holds at the moment.
    pub fn usage(&self) -> BrokerUsage {
        BrokerUsage {
            message_bytes: self.log.kept(),
            messages: self.log.len(),
            topics: self.topics.len(),
            held_pulls: self.holds.len(),
        }
    }

    /// The first offset and the one after the last of a queue; `None` when there is no such topic. (0, 0) for a queue
    /// that was never written to.
    pub fn offsets(&self, topic: &str, queue_id: u32) -> Option<(i64, i64)> {
        let queue = self.topics.by_name(topic)?.queue(queue_id);
        Some(queue.map_or((0, 0), |queue| (queue.min_offset(), queue.max_offset())))
    }

    /// How many queues of a topic may be pulled from; `None` when there is no such topic.
    pub fn queue_count(&self, topic: &str) -> Option<u32> {
        self.topic(topic).map(|config| config.read_queue_nums)
    }

    /// The offset that a consumer group has committed for a queue.
    pub fn committed(&self, group: &str, topic: &str, queue_id: u32) -> Option<i64> {
        self.offsets.get(group, topic, i32::try_from(queue_id).ok()?)
    }

    /// The ids of the clients that are members of a consumer group.
    pub fn members(&self, group: &str) -> Vec<&str> {
        let members = self.groups.consumers(group).into_iter().flat_map(|consumers| consumers.members().values());
        members.map(|member| &*member.client_id).collect()
    }

    /// The id of the client that has a queue locked for its group at this moment.
    pub fn lock_owner(&self, now: Instant, group: &str, topic: &str, queue_id: u32) -> Option<&str> {
        self.locks.owner(now, group, &self.queue_key(topic, queue_id))
    }

    /// Creates a topic of `queues` queues that can be sent to and pulled from, or changes it to that.
    ///
    /// # Errors
    /// Why not: the name is none, there is no room for it ([`ClusterConfig::state_bytes`](super::ClusterConfig::state_bytes)), or it would have too
    /// many queues.
    pub fn create_topic(&mut self, topic: &str, queues: u32) -> Result<(), String> {
        topic_names::validate_topic(topic)?;
        self.topics.update(topic, TopicConfig::new(queues)).map(|_| ()).map_err(|refusal| refusal.remark)
    }

    /// Deletes a topic with its messages and all offsets of it, unless it is one that stays.
    pub fn delete_topic(&mut self, topic: &str) {
        // One of the system's is refused, and stays.
        let _ = self.forget_topic(topic);
    }

    /// The process ends, and with it what is not on the disk of an Apache broker either.
    pub(super) fn stop(&mut self) {
        self.is_jammed = false;
        self.locks = Locks::new(&self.budget);
        self.groups = Groups::new(&self.budget);
        self.fingerprints = Named::default();
        self.pulled = PulledSubscriptions::new(&self.budget);
        self.asks = Asks::new(self.dialect);
        self.pull_offsets = GroupOffsets::new(&self.budget);
        self.reset_offsets = GroupOffsets::new(&self.budget);
    }

    /// Everything is gone but what a test has forced, as after a crash without a disk.
    pub(super) fn forget(&mut self, now: Now, cluster: &str) {
        let forces = std::mem::take(&mut self.forces);
        *self = Self { forces, ..Self::new(now, cluster, self.dialect, self.config.clone(), &self.budget) };
    }

    /// Every topic and its settings, by name.
    pub(super) fn topics(&self) -> impl Iterator<Item = (&str, &TopicConfig)> {
        self.topics.iter().map(|topic| (&*topic.name, &topic.config))
    }

    pub(super) fn topic(&self, name: &str) -> Option<&TopicConfig> {
        self.topics.by_name(name).map(|topic| &topic.config)
    }

    /// The topics that were deleted since the last call, of which name servers are not told.
    pub(super) fn take_deleted_topics(&mut self) -> Vec<Box<str>> {
        self.topics.take_deleted()
    }

    /// The topics that name servers have to hear of.
    pub(super) fn take_changed_topics(&mut self) -> Vec<Box<str>> {
        self.topics.take_changed()
    }

    pub(super) fn receive(&mut self, now: Now, session: Session, request: &Command, out: &mut Outputs) {
        use RequestCode as Code;
        let delayed_answers = reply::MOST_DELAYED;
        let begun = reply::begin(now, self.dialect, session.peer, request, &mut self.forces, out, delayed_answers);
        let Some((mut reply, request)) = begun else {
            return;
        };
        let request = &*request;
        if self.is_jammed && stores(RequestCode(request.code)) {
            return;
        }
        match RequestCode(request.code) {
            Code::SEND_MESSAGE | Code::SEND_MESSAGE_V2 | Code::SEND_BATCH_MESSAGE => {
                self.send(now, session, request, reply);
            }
            Code::CONSUMER_SEND_MSG_BACK => reply.nothing(self.send_back(now, request)),
            Code::PULL_MESSAGE | Code::LITE_PULL_MESSAGE => self.pull(now, session, request, reply),
            Code::UPDATE_CONSUMER_OFFSET => self.update_consumer_offset(request, reply),
            Code::GET_ALL_CONSUMER_OFFSET => reply.body(Ok(self.committed_offsets())),
            Code::QUERY_CONSUMER_OFFSET => reply.header(self.query_consumer_offset(request)),
            Code::SEARCH_OFFSET_BY_TIMESTAMP => reply.header(self.search_offset(request)),
            Code::GET_MAX_OFFSET => reply.header(self.max_offset(request)),
            Code::GET_MIN_OFFSET => self.min_offset(request, reply),
            Code::GET_EARLIEST_MSG_STORETIME => reply.header(self.earliest_store_time(request)),
            Code::VIEW_MESSAGE_BY_ID => self.view_message(request, reply),
            Code::QUERY_MESSAGE => self.query_message(request, reply),
            Code::HEART_BEAT => {
                let answer = self.heartbeat(now, session, request, reply.outputs());
                reply.header::<HeartbeatAnswer>(answer);
            }
            Code::UNREGISTER_CLIENT => {
                let done = self.unregister(now, session, request, reply.outputs());
                reply.nothing(done);
            }
            Code::GET_CONSUMER_LIST_BY_GROUP => reply.body(self.consumer_list(request)),
            Code::LOCK_BATCH_MQ => reply.body(self.lock_queues(now, request)),
            Code::UNLOCK_BATCH_MQ => reply.nothing(self.unlock_queues(request)),
            Code::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP => reply.nothing(self.update_group(now, request)),
            Code::GET_SUBSCRIPTIONGROUP_CONFIG => reply.body(self.group(now, request)),
            Code::GET_ALL_SUBSCRIPTIONGROUP_CONFIG => self.groups(request, reply),
            Code::DELETE_SUBSCRIPTIONGROUP => reply.nothing(self.delete_group(now, request)),
            Code::GET_CONSUMER_CONNECTION_LIST => reply.body(self.consumer_connections(request)),
            Code::GET_PRODUCER_CONNECTION_LIST => reply.body(self.producer_connections(request)),
            Code::QUERY_TOPIC_CONSUME_BY_WHO => reply.body(self.topic_consumers(request)),
            Code::QUERY_TOPICS_BY_CONSUMER => reply.body(self.topics_of_consumer(request)),
            Code::QUERY_SUBSCRIPTION_BY_CONSUMER => reply.body(self.subscription_of_consumer(now, request)),
            Code::GET_CONSUME_STATS => reply.body(self.consume_stats(now, request)),
            Code::INVOKE_BROKER_TO_RESET_OFFSET => {
                let reset = self.reset_offset(request, reply.outputs());
                reply.body(reset);
            }
            Code::INVOKE_BROKER_TO_GET_CONSUMER_STATUS => self.consumer_status(now, request, reply),
            Code::GET_CONSUMER_RUNNING_INFO => self.running_info(now, request, reply),
            Code::CONSUME_MESSAGE_DIRECTLY => self.consume_directly(now, request, reply),
            Code::CHECK_CLIENT_CONFIG => reply.nothing(self.check_client_config(request)),
            Code::UPDATE_AND_CREATE_TOPIC => self.create_topic_for(request, reply),
            Code::DELETE_TOPIC_IN_BROKER => reply.nothing(self.delete_topic_for(request)),
            Code::GET_TOPIC_STATS_INFO => reply.body(self.topic_stats(request)),
            Code::GET_TOPIC_CONFIG => reply.body(self.topic_config(request)),
            Code::GET_ALL_TOPIC_CONFIG => self.all_topic_configs(request, reply),
            Code::GET_BROKER_CONFIG => self.tell_settings(reply),
            Code::GET_BROKER_RUNTIME_INFO => reply.body(Ok(self.runtime_info(now))),
            Code(unknown) => reply.unknown(unknown),
        }
    }

    /// The peer is gone: nobody waits for its answers, and it is no member of any group.
    pub(super) fn closed(&mut self, peer: Peer, out: &mut Outputs) {
        self.holds.forget(peer);
        for group in self.groups.forget(peer) {
            self.notify_members(&group, out);
        }
    }

    /// Does what is due. Of members that were silent for too long the others hear as of those that leave: an Apache
    /// broker closes their connections, which idle ones of its server are anyway.
    pub(super) fn handle_timeout(&mut self, now: Now, out: &mut Outputs) {
        for group in self.groups.handle_timeout(now.mono) {
            self.notify_members(&group, out);
        }
        self.give_up_late(now, out);
        self.deliver_due(now);
        self.check_holds(now.mono);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let due = [
            self.holds.poll_timeout(),
            self.groups.poll_timeout(),
            self.delays.poll_timeout(),
            self.asks.poll_timeout(),
        ];
        due.into_iter().flatten().min()
    }
}
