//! A name server: it knows which broker serves which topic, since brokers tell it, and tells clients.

mod configs;
mod routes;

use stgclient_core::time::Now;
use stgclient_core::wire::body::TopicRouteData;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;

use super::budget::Budget;
use super::force::Force;
use super::forces::Forces;
use super::output::Outputs;
use super::peer::Peer;
use super::refusal::{FAQ, Refusal};
use super::reply;
use super::request_faults::RequestFaults;
use super::settings;
use configs::Configs;
use routes::Routes;

pub(super) use routes::Registration;

/// A name server of a [`Cluster`](super::Cluster).
#[derive(Debug)]
pub struct NameServer {
    address: String,
    dialect: Dialect,
    budget: Budget,
    routes: Routes,
    configs: Configs,
    is_ordered_by_config: bool,
    overrides: Vec<(Option<String>, RouteOverride)>,
    forces: Forces,
}

/// What a test makes of the answer to a question for a route.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteOverride {
    /// SYSTEM_ERROR: the name server has just been started.
    NotReady,
    /// TOPIC_NOT_EXIST.
    Missing,
    /// This route, such as the empty [`TopicRouteData::default`].
    Route(TopicRouteData),
    /// The real route, but each broker is said to be at this address.
    At(String),
    /// The real route, and one more broker of this name at this address, with as many queues as the first one.
    With(String, String),
    /// The real route, and each broker has one member more, with this id at this address.
    WithMember(i64, String),
}

impl NameServer {
    pub(super) fn new(address: String, dialect: Dialect, is_ordered_by_config: bool, budget: &Budget) -> Self {
        Self {
            address,
            dialect,
            routes: Routes::new(budget),
            budget: budget.clone(),
            configs: Configs::new(budget),
            is_ordered_by_config,
            overrides: Vec::new(),
            forces: Forces::default(),
        }
    }

    /// The name server's address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes the name server treat requests as a test wants it.
    pub fn force(&mut self, force: Force) {
        self.forces.add(force);
    }

    /// As `force`, in place of what the name server was forced to for the same codes; one of no times takes that back.
    pub fn force_instead(&mut self, force: Force) {
        self.forces.replace(force);
    }

    /// Draws faults from now on, from this seed, for requests that it is not forced to treat in some way.
    pub fn draw_faults(&mut self, faults: &RequestFaults, seed: u64) {
        self.forces.draw(faults, seed);
    }

    /// Takes back everything that the name server was forced to, and draws no more faults.
    pub fn clear_forces(&mut self) {
        self.forces.clear();
    }

    /// Bends the route of one topic, or of every topic when `topic` is `None`. An earlier one for the same is replaced;
    /// one for a topic goes before one for all.
    pub fn override_route(&mut self, topic: Option<&str>, route: RouteOverride) {
        self.overrides.retain(|(known, _)| known.as_deref() != topic);
        self.overrides.push((topic.map(str::to_owned), route));
    }

    /// Takes back every [`NameServer::override_route`].
    pub fn clear_overrides(&mut self) {
        self.overrides.clear();
    }

    /// Everything that brokers have told is gone.
    pub(super) fn forget_routes(&mut self) {
        self.routes = Routes::new(&self.budget);
    }

    /// Everything is gone.
    pub(super) fn forget(&mut self) {
        self.forget_routes();
        self.configs = Configs::new(&self.budget);
    }

    /// What brokers have told of a topic is gone.
    pub(super) fn forget_topic(&mut self, topic: &str) {
        self.routes.forget_topic(topic);
    }

    /// A broker tells of one of its topics. Says whether there is room for it.
    pub(super) fn register(&mut self, registration: Registration<'_>) -> bool {
        self.routes.register(registration).is_ok()
    }

    /// A broker has deleted this topic, which a name server keeps until it is told.
    pub(super) fn note_deleted(&mut self, topic: &str) {
        self.routes.note_deleted(topic);
    }

    /// Forgets the topics that their brokers do not have any more.
    pub(super) fn forget_deleted(&mut self, has: impl Fn(&str, &str) -> bool) {
        self.routes.forget_deleted(has);
    }

    /// A broker is gone.
    pub(super) fn unregister(&mut self, broker: &str) {
        self.routes.unregister(broker);
    }

    pub(super) fn receive(&mut self, now: Now, peer: Peer, request: &Command, out: &mut Outputs) {
        use RequestCode as Code;
        let begun = reply::begin(now, self.dialect, peer, request, &mut self.forces, out, reply::MOST_DELAYED);
        let Some((reply, request)) = begun else {
            return;
        };
        let request = &*request;
        match RequestCode(request.code) {
            Code::GET_ROUTEINFO_BY_TOPIC => reply.body(self.route(request)),
            Code::GET_BROKER_CLUSTER_INFO => reply.body(Ok(self.routes.cluster_info(self.dialect))),
            Code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER => reply.body(Ok(self.routes.topic_list())),
            Code::DELETE_TOPIC_IN_NAMESRV => reply.nothing(self.routes.delete_topic(request)),
            Code::PUT_KV_CONFIG => reply.nothing(self.configs.put(request)),
            Code::GET_KV_CONFIG => self.configs.answer(self.dialect, request, reply),
            Code::DELETE_KV_CONFIG => reply.nothing(self.configs.delete(request)),
            Code::GET_KVLIST_BY_NAMESPACE => reply.body(self.configs.list(request)),
            Code::GET_NAMESRV_CONFIG => reply.body(Ok(self.settings())),
            Code(unknown) => reply.unknown(unknown),
        }
    }

    /// What administrators read (`NamesrvConfig`, `NettyServerConfig`).
    fn settings(&self) -> Vec<u8> {
        settings::text(&[
            ("listenPort", settings::port(&self.address)),
            ("orderMessageEnable", self.is_ordered_by_config.to_string()),
        ])
    }

    fn route(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header = routes::header(request)?;
        let topic = &*header.topic;
        let missing = || {
            let remark = match self.dialect {
                Dialect::Apache => format!("No topic route info in name server for the topic: {topic}{FAQ}"),
                Dialect::Smartgo => format!(
                    "[no topic route info in name server for the topic: {topic}], faq: See \
                     https://gitee.com/cloudzone/smartgo/issues/38 for further details "
                ),
            };
            Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark)
        };
        let is_for = |known: &Option<String>| known.as_deref() == Some(topic);
        let own = self.overrides.iter().find(|(known, _)| is_for(known));
        let bent = own.or_else(|| self.overrides.iter().find(|(known, _)| known.is_none())).map(|(_, route)| route);
        let mut route = match bent {
            Some(RouteOverride::NotReady) => {
                return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "name server not ready"));
            }
            Some(RouteOverride::Missing) => return Err(missing()),
            Some(RouteOverride::Route(route)) => route.clone(),
            Some(RouteOverride::At(_) | RouteOverride::With(..) | RouteOverride::WithMember(..)) | None => {
                let is_named = request.fields.get("topic").is_some();
                self.routes.route(topic).filter(|_| is_named).ok_or_else(missing)?
            }
        };
        if let Some(RouteOverride::At(address)) = bent {
            let brokers = route.broker_datas.iter_mut();
            brokers.flat_map(|broker| broker.broker_addrs.values_mut()).for_each(|known| known.clone_from(address));
        }
        if let Some(RouteOverride::With(name, address)) = bent {
            routes::add_broker(&mut route, name, address);
        }
        if let Some(RouteOverride::WithMember(id, address)) = bent {
            let brokers = route.broker_datas.iter_mut();
            brokers.for_each(|broker| _ = broker.broker_addrs.insert(*id, address.clone()));
        }
        if self.is_ordered_by_config {
            route.order_topic_conf = self.configs.order_of(topic).map(str::to_owned);
        }
        Ok(match self.dialect {
            Dialect::Apache => routes::encode(&route, routes::wants_standard_json(request, &header)),
            Dialect::Smartgo => routes::encode_as_smartgo(&route),
        })
    }
}
