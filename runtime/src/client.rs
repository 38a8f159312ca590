//! A client: its start, its parts, its end.

use std::future::Future;
use std::sync::Arc;

use stgclient_core::address::{self, Addresses};
use stgclient_core::client::{Client as Core, ClientConfig, ClientEvent, ClientState};
use stgclient_core::connection::ConnectionCounters;
use stgclient_core::credentials::Credentials;
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::metrics::Metrics;
use stgclient_core::notice::Notice;
use stgclient_core::time::Duration;
use stgclient_core::wire::command::HeaderCodec;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::frame;

use stgclient_host::{Host, MaybeSend};
#[cfg(feature = "tls")]
use stgclient_tokio::Tls;
#[cfg(feature = "tokio")]
use stgclient_tokio::Tokio;
#[cfg(feature = "websocket")]
use stgclient_tokio::Tunnel;
#[cfg(feature = "embedded")]
use stgclient_tokio::embedded::EmbeddedCluster;

use crate::admin::Admin;
use crate::connection;
use crate::events::Events;
use crate::guard;
use crate::handle::Handle;
use crate::log;
use crate::operation::Operation;
use crate::producer::ProducerBuilder;
use crate::pull_consumer::PullConsumerBuilder;
use crate::push_consumer::PushConsumerBuilder;
use crate::rotation::{self, Provider};
use crate::shared::{Settings, Shared};
use crate::timers;

/// A client of a cluster, wherever it runs. Cheap to clone; the last clone, producer or consumer that is dropped closes it.
///
/// One is enough for a process: its producers and consumers share its connections.
///
/// ```no_run
/// # async fn run() -> Result<(), stgclient::Error> {
/// let client = stgclient::Client::connect("10.0.0.1:9876;10.0.0.2:9876").await?;
/// let producer = client.producer("shop").start().await?;
/// // ...
/// client.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
    #[cfg(feature = "embedded")]
    cluster: Option<Arc<EmbeddedCluster>>,
}

#[cfg(feature = "tokio")]
impl Client {
    /// Connects to the cluster of these name servers, `host:port` separated by `;` or several texts, on the tokio runtime that this is
    /// called on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when one of them is no address, or there is no tokio runtime, or one without timers or I/O;
    /// [`ErrorKind::NotANameServer`] when all that answer are brokers; [`ErrorKind::NameServersUnavailable`] when none of them answers
    /// in time.
    pub async fn connect(name_servers: impl Addresses) -> Result<Self, Error> {
        Self::builder(name_servers).connect().await
    }

    /// A client of the cluster of these name servers, still to be set up: as [`Client::connect`] otherwise.
    pub fn builder(name_servers: impl Addresses) -> ClientBuilder {
        ClientBuilder::at(HostChoice::Tokio, name_servers)
    }
}

#[cfg(feature = "embedded")]
impl Client {
    /// Starts a cluster in memory, for development and tests, and connects to it without a socket. It lives as long as its clients
    /// and their handles.
    ///
    /// # Errors
    /// There is no tokio runtime with timers.
    pub async fn embedded() -> Result<Self, Error> {
        let cluster = Arc::new(EmbeddedCluster::in_process()?);
        let client = ClientBuilder::embedded(&cluster).connect().await?;
        Ok(Self { cluster: Some(cluster), ..client })
    }

    /// The cluster of [`Client::embedded`]: for statuses and faults on demand, and for other clients of it
    /// ([`ClientBuilder::embedded`]).
    pub fn embedded_cluster(&self) -> Option<&EmbeddedCluster> {
        self.cluster.as_deref()
    }
}

impl Client {
    fn new(handle: Arc<Handle>) -> Self {
        Self {
            handle,
            #[cfg(feature = "embedded")]
            cluster: None,
        }
    }

    /// A producer of the group `group`, still to be set up. The name is for brokers and their tools; producers of one process may
    /// have the same.
    pub fn producer(&self, group: &str) -> ProducerBuilder {
        ProducerBuilder::new(Arc::clone(&self.handle), group)
    }

    /// A pull consumer of the group `group`, still to be set up: for who keeps offsets and chooses queues.
    pub fn pull_consumer(&self, group: &str) -> PullConsumerBuilder {
        PullConsumerBuilder::new(Arc::clone(&self.handle), group)
    }

    /// A push consumer of the group `group`, still to be set up: messages come to a handler or as a stream. A client is one
    /// member of a group, which shares the queues with those of other clients: a second push consumer of the same group is refused.
    pub fn push_consumer(&self, group: &str) -> PushConsumerBuilder {
        PushConsumerBuilder::new(Arc::clone(&self.handle), group)
    }

    /// The client's id, by which brokers and `mqadmin` know it: its address and what tells it apart there. Unique by
    /// default, in containers too.
    pub fn client_id(&self) -> &str {
        &self.handle.shared.settings.client_id
    }

    /// Topics, offsets and clusters.
    pub fn admin(&self) -> Admin {
        Admin::new(Arc::clone(&self.handle))
    }

    /// How its connections are: what a health check asks.
    pub fn state(&self) -> ClientState {
        self.handle.shared.peek(|state| state.core.state())
    }

    /// A stream of what happens to the client from now on: connections that stand, end or cannot be made, name servers that do
    /// not answer any more, routes that change, and warnings. It begins with a [`ClientEvent::Connected`] for each connection that
    /// stands already, and ends when the client is closed. It does not keep the client open.
    ///
    /// ```no_run
    /// # async fn run(client: stgclient::Client) {
    /// let mut events = client.events();
    /// tokio::spawn(async move {
    ///     while let Some(event) = events.next().await {
    ///         println!("{event}");
    ///     }
    /// });
    /// # }
    /// ```
    pub fn events(&self) -> Events {
        self.handle.shared.with(|state, _| {
            let standing = state.core.connected().cloned().map(|address| ClientEvent::Connected { address });
            state.followers.follow(standing)
        })
    }

    /// What the client has counted so far and has under way: sends by outcome and broker, how long they took, bytes, connections, and
    /// how its push consumers fare. With the feature `metrics`, `Client::export_metrics` gives it to a recorder.
    ///
    /// ```no_run
    /// # fn show(client: &stgclient::Client) {
    /// let metrics = client.metrics();
    /// println!("{} sent, {} failed", metrics.all_sends().send_ok, metrics.all_sends().failed);
    /// println!("of all, 99 % took at most {:?}", metrics.send_latency.at_most(0.99));
    /// # }
    /// ```
    pub fn metrics(&self) -> Metrics {
        // With what was handed in.
        self.handle.shared.with(|state, _| state.core.metrics())
    }

    /// Gives [`Client::metrics`] to the recorder of the `metrics` facade that the process has installed: to be called before that is read,
    /// or every few seconds. All names begin with `stgclient_`, all values are labelled with the `client`'s id; sends with the `broker`
    /// and `outcome`, consumers with the `group`. How long sends took is told in buckets, as `stgclient_send_seconds_bucket`, `_sum` and
    /// `_count`.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn run(client: stgclient::Client) {
    /// tokio::spawn(async move {
    ///     loop {
    ///         tokio::time::sleep(Duration::from_secs(10)).await;
    ///         client.export_metrics();
    ///     }
    /// });
    /// # }
    /// ```
    #[cfg(feature = "metrics")]
    pub fn export_metrics(&self) {
        crate::export::export(self.client_id(), &self.metrics());
    }

    /// What happened on all connections so far, as numbers that only grow: late answers, oneway messages that busy brokers threw away,
    /// values that were passed over. [`Client::metrics`] has the rest.
    pub fn counters(&self) -> ConnectionCounters {
        self.handle.shared.peek(|state| state.core.counters())
    }

    /// How long the client's one lock was waited for and held so far.
    #[cfg(feature = "measure-lock")]
    pub fn lock_times(&self) -> crate::lock::LockTimes {
        self.handle.shared.lock_times()
    }

    /// Replaces the list of name servers, `host:port` separated by `;` or several texts. Whether they answer shows with the next
    /// look-up.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when one of them is no address, or there is none, and [`ErrorKind::Closed`]; the old list stays.
    pub fn set_name_servers(&self, name_servers: impl Addresses) -> Result<(), Error> {
        let addresses = parse(&name_servers.joined())?;
        self.handle.shared.with(|state, now| match state.core.state() {
            ClientState::Closing | ClientState::Closed => Err(Error::new(ErrorKind::Closed, "the client")),
            _ => {
                state.core.handle_name_servers(now, addresses);
                Ok(())
            }
        })
    }

    /// Signs every request with these credentials from now on, or none with `None`: also the next tries of what is
    /// under way. Connections stay, nothing is lost; so keys and tokens may change in a running client.
    pub fn set_credentials(&self, credentials: impl Into<Option<Credentials>>) {
        let credentials = credentials.into();
        self.handle.shared.with(|state, _| state.core.set_credentials(credentials));
    }

    /// Gives all queues of all its consumers up at once, for a program that is about to stand still for a time it does not know, such
    /// as a page that is frozen: what is finished is committed, locks go back, and no answer is awaited. What handlers have in hand then
    /// does not count any more and comes again, to whoever has its queue by then. The consumers stay members: they get queues again,
    /// from where their groups are by then, when connections have ended and are made anew, or within
    /// [`rebalance_interval`](crate::PushConfig::rebalance_interval).
    ///
    /// Broadcasting consumers keep their queues, and have their offsets stored.
    pub fn give_up_queues(&self) {
        self.handle.shared.with(|state, now| state.core.give_up_queues(now));
    }

    /// Closes the client: sends and handlers under way may end within the close time-out
    /// ([`ClientBuilder::close_timeout`]), offsets are committed, brokers hear that its groups leave, connections close. When this
    /// returns nothing of the client is left. All its producers and consumers are closed with it; what is asked of them later
    /// fails with [`ErrorKind::Closed`].
    pub async fn close(&self) {
        let shared = &self.handle.shared;
        let grace = shared.settings.close_timeout;
        shared.with(|state, now| state.core.close(now, grace));
        shared.tasks.gone().await;
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Where a client runs.
enum HostChoice {
    /// On a host that somebody has given.
    Given(Arc<dyn Host>),
    #[cfg(feature = "tokio")]
    Tokio,
}

/// Sets a [`Client`] up.
#[must_use = "a builder does nothing until `connect`"]
pub struct ClientBuilder {
    place: HostChoice,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    #[cfg(feature = "websocket")]
    tunnel: Option<Tunnel>,
    name_servers: String,
    config: ClientConfig,
    max_frame_length: usize,
    close_timeout: Duration,
    instance: Option<String>,
    provider: Option<Box<dyn Provider>>,
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder").field("name_servers", &self.name_servers).finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// A client on this host, of the cluster of these name servers, `host:port` separated by `;`. On tokio: [`Client::builder`].
    pub fn on(host: Arc<dyn Host>, name_servers: impl Addresses) -> Self {
        Self::at(HostChoice::Given(host), name_servers)
    }

    /// A client of a cluster in memory, of which there may be many.
    #[cfg(feature = "embedded")]
    pub fn embedded(cluster: &EmbeddedCluster) -> Self {
        Self::on(cluster.host(), cluster.name_server_address())
    }

    /// Connects over TLS only, to name servers and brokers.
    ///
    /// When the two sides do not trust each other, [`connect`](Self::connect) and every operation fail with
    /// [`ErrorKind::TlsFailed`]. On a host that was given ([`ClientBuilder::on`]), [`connect`](Self::connect) fails.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Connects through a gateway, to name servers and brokers: their addresses are those that the gateway knows.
    ///
    /// With [`tls`](Self::tls), or on a host that was given, [`connect`](Self::connect) fails: how a gateway is trusted is said to
    /// [`TunnelBuilder`](crate::TunnelBuilder).
    #[cfg(feature = "websocket")]
    pub fn tunnel(mut self, tunnel: Tunnel) -> Self {
        self.tunnel = Some(tunnel);
        self
    }

    fn at(place: HostChoice, name_servers: impl Addresses) -> Self {
        Self {
            place,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "websocket")]
            tunnel: None,
            name_servers: name_servers.joined(),
            config: ClientConfig::new(Vec::new()),
            max_frame_length: frame::DEFAULT_MAX_FRAME_LENGTH,
            close_timeout: Duration::from_secs(5),
            instance: None,
            provider: None,
        }
    }

    /// The host to run on.
    fn host(&self) -> Result<Arc<dyn Host>, Error> {
        #[cfg(feature = "websocket")]
        if let Some(tunnel) = &self.tunnel {
            return match (&self.place, &self.tls) {
                (HostChoice::Tokio, None) => Ok(Arc::new(Tokio::with_tunnel(tunnel.clone()))),
                (HostChoice::Tokio, Some(_)) => Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "through a gateway TLS is said to `Tunnel::builder`: what lies behind it is the gateway's matter",
                )),
                (HostChoice::Given(_), _) => Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "a tunnel is for clients of `Client::builder`: how others connect, the host says that they run on",
                )),
            };
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return match self.place {
                HostChoice::Tokio => Ok(Arc::new(Tokio::with_tls(tls.clone()))),
                HostChoice::Given(_) => Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "TLS is for clients of `Client::builder`: how others connect, the host says that they run on",
                )),
            };
        }
        Ok(match &self.place {
            HostChoice::Given(host) => Arc::clone(host),
            #[cfg(feature = "tokio")]
            HostChoice::Tokio => Arc::new(Tokio::default()),
        })
    }

    /// How headers are written: JSON by default, or the shorter binary layout, which smaller servers do not know.
    pub const fn header_codec(mut self, codec: HeaderCodec) -> Self {
        self.config.connection.codec = codec;
        self
    }

    /// The kind of server: Apache RocketMQ by default, or smartgo's stgregistry and stgbroker.
    ///
    /// [`connect`](Self::connect) fails when the configuration wants what the servers do not know, and with
    /// [`ErrorKind::WrongDialect`] when they speak another dialect.
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.config.connection.dialect = dialect;
        self
    }

    /// What every request is signed with, to name servers and brokers with access control (ACL 1.0 and auth 2.0).
    /// [`Client::set_credentials`] changes it later.
    ///
    /// What the servers' access control refuses fails with
    /// [`ErrorKind::AccessDenied`].
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.config.credentials = Some(credentials);
        self
    }

    /// As [`credentials`](Self::credentials), for those that change: `provider` is asked before the client connects,
    /// and again a second after each of its answers, until the client is closed. It may answer at once with what is
    /// valid now, such as what stands in a file, or wait until there is something newer, such as the token after this
    /// one. Failing is its own matter: it goes on trying, and the client with what it has.
    ///
    /// ```no_run
    /// # use stgclient::Credentials;
    /// # async fn fetch() -> Credentials { Credentials::new("", "") }
    /// # fn set_up(builder: stgclient::ClientBuilder) -> stgclient::ClientBuilder {
    /// builder.credentials_provider(|| async { fetch().await })
    /// # }
    /// ```
    pub fn credentials_provider<F>(mut self, provider: impl FnMut() -> F + MaybeSend + 'static) -> Self
    where
        F: Future<Output = Credentials> + MaybeSend + 'static,
    {
        self.provider = Some(Box::new(provider));
        self
    }

    /// The time for one request to a server, for one look-up, and for [`connect`](Self::connect). 3 s by default, 1 ms at the
    /// least. That of a send is [`ProducerBuilder::send_timeout`].
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self
    }

    /// How long [`connect`](Self::connect) waits for servers that are still starting: it asks again until a name server answers
    /// or this time is up. It does not wait by default: when no name server can be reached it fails at once.
    pub const fn wait_for_servers(mut self, time: Duration) -> Self {
        self.config.wait_for_servers = time;
        self
    }

    /// The time to open a connection, with TLS. 3 s by default, 1 ms at the least.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connection.connect_timeout = timeout;
        self
    }

    /// The longest frame that is read, in bytes. 16 MiB by default. A server that sends a longer one loses its connection.
    pub const fn max_frame_length(mut self, length: usize) -> Self {
        self.max_frame_length = length;
        self
    }

    /// The longest body that a compressed message may have when decompressed, in bytes, and what all bodies of a pull may have
    /// together. 64 MiB by default. A longer one is refused: a push consumer has it go to the dead letters.
    pub const fn max_body_length(mut self, length: usize) -> Self {
        self.config.max_body_length = length;
        self
    }

    /// What tells this client apart from others of the process, for brokers. Unique by default. Two clients at one address with the
    /// same name are one to brokers, and share queues wrongly. Broadcasting consumers keep their offsets by this name, `DEFAULT` if
    /// none is given.
    pub fn instance(mut self, instance: &str) -> Self {
        self.instance = Some(instance.to_owned());
        self
    }

    /// How long [`Client::close`] waits for sends and handlers under way, and
    /// [`PushConsumer::close`](crate::PushConsumer::close) for handlers. 5 s by default.
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Everything else: connections, intervals, bounds. Name servers and identity are not read from here: the one is an argument of
    /// the builder, the other the host's.
    ///
    /// ```no_run
    /// # fn set_up() -> stgclient::ClientBuilder {
    /// # use std::time::Duration;
    /// stgclient::Client::builder("10.0.0.1:9876").configure(|config| config.route_interval = Duration::from_secs(10))
    /// # }
    /// ```
    pub fn configure(mut self, change: impl FnOnce(&mut ClientConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Connects: waits until a name server answers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when one of the name servers is no address, a number or a time is out of its range, or the host
    /// cannot run clients; [`ErrorKind::NotANameServer`] when all that answer are brokers; [`ErrorKind::NameServersUnavailable`] when none
    /// of them answers in time; [`ErrorKind::TlsFailed`], [`ErrorKind::AccessDenied`] and [`ErrorKind::WrongDialect`] where they apply.
    pub async fn connect(self) -> Result<Client, Error> {
        let host = self.host()?;
        host.check()?;
        let Self { mut config, mut provider, .. } = self;
        if let Some(provider) = &mut provider {
            let credentials = guard::poll(|| provider.next()).await.map_err(|panic| {
                Error::new(ErrorKind::InvalidArgument, format!("the credentials provider panicked: {panic}"))
            });
            config.credentials = Some(credentials?);
        }
        let credentials = config.credentials.clone();
        config.name_servers = parse(&self.name_servers)?;
        config.check()?;
        let seed = host.seed();
        config.identity = host.identity();
        let process_id = config.identity.process_id;
        config.identity.instance = self.instance.clone().unwrap_or_else(|| format!("{process_id}#{seed:x}"));
        let settings = Settings {
            dialect: config.dialect(),
            max_frame_length: self.max_frame_length,
            max_body_length: config.max_body_length,
            close_timeout: self.close_timeout,
            instance: self.instance,
            client_id: config.identity.client_id(),
        };
        let line = Notice::debug("connecting").about("client_id", &settings.client_id);
        log::write(&*host, &line.about("name_servers", &self.name_servers));
        let core = Core::new(config, seed, host.now());
        let shared = Shared::new(core, host, settings, connection::link);
        shared.spawn(timers::run(Arc::clone(&shared)));
        let handle = Arc::new(Handle { shared });
        let client = Client::new(handle);
        if let (Some(provider), Some(credentials)) = (provider, credentials) {
            let shared = &client.handle.shared;
            shared.spawn(rotation::run(Arc::clone(shared), provider, credentials));
        }
        if let Err(error) = Operation::begin(&client.handle, Core::connect).await {
            client.close().await;
            return Err(error);
        }
        Ok(client)
    }
}

fn parse(name_servers: &str) -> Result<Vec<address::Address>, Error> {
    address::parse_list(name_servers)
        .map_err(|error| Error::new(ErrorKind::InvalidArgument, error.to_string()).with_source(error))
}
