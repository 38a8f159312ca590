//! The tokio host: its clock, tasks and TCP connections.

// The one place of the client that reads clocks and chance.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use stgclient_core::address::Address;
use stgclient_core::client::Identity;
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::time::{Instant, Now};
use stgclient_host::{BoxFuture, Host, Link, OffsetStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;

use crate::failure::Failure;
use crate::file_offsets::FileOffsets;
use crate::{resolve, socket};

/// The host that runs clients on tokio.
#[derive(Debug)]
pub struct Tokio {
    /// By the runtime's clock, which tests may have stand still.
    start: tokio::time::Instant,
    /// The runtime that the first task was started on: a client may be used from threads that know none.
    runtime: OnceLock<Handle>,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::Tls>,
    #[cfg(feature = "websocket")]
    tunnel: Option<crate::websocket::Tunnel>,
}

impl Default for Tokio {
    fn default() -> Self {
        Self {
            start: tokio::time::Instant::now(),
            runtime: OnceLock::new(),
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "websocket")]
            tunnel: None,
        }
    }
}

impl Tokio {
    /// Whose connections are made over TLS only.
    #[cfg(feature = "tls")]
    pub fn with_tls(tls: crate::tls::Tls) -> Self {
        Self { tls: Some(tls), ..Self::default() }
    }

    /// Whose connections go through a gateway.
    #[cfg(feature = "websocket")]
    pub fn with_tunnel(tunnel: crate::websocket::Tunnel) -> Self {
        Self { tunnel: Some(tunnel), ..Self::default() }
    }

    fn runtime(&self) -> &Handle {
        self.runtime.get_or_init(Handle::current)
    }

    /// Runs a task on the runtime of this host.
    pub(crate) fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime().spawn(task));
    }

    /// Opens a stream for a link and drives the link with it.
    fn drive<F, S>(
        &self,
        mut link: Box<dyn Link>,
        open: impl FnOnce(Address) -> F + Send + 'static,
        guess: &'static str,
    ) where
        F: Future<Output = Result<S, Failure>> + Send,
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.run(async move {
            match socket::unless_closed(&mut *link, open).await {
                Some(Ok(stream)) => socket::drive(stream, &mut *link, guess).await,
                Some(Err(failure)) => link.closed((&failure).into()),
                None => {}
            }
        });
    }

    /// Opens a stream for a link in a way of the caller's own, and drives the link with it in a task: for hosts that are as this one in all
    /// else. `guess` is what it may mean that the server hangs up without a word, to be added to a reason.
    pub fn connect_by<F, S>(
        &self,
        link: Box<dyn Link>,
        open: impl FnOnce(Address) -> F + Send + 'static,
        guess: &'static str,
    ) where
        F: Future<Output = io::Result<S>> + Send,
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.drive(link, async move |address| open(address).await.map_err(Failure::from), guess);
    }

    /// Whether there is a runtime, and it has what `needs` says.
    pub(crate) fn check_for(&self, needs: Needs) -> Result<(), Error> {
        let runtime = match self.runtime.get() {
            Some(runtime) => runtime.clone(),
            None => Handle::try_current().map_err(|error| unfit(&error.to_string()))?,
        };
        let _entered = runtime.enter();
        // A runtime does not tell what it has; it panics when it is asked for what it has not.
        if catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_err() {
            return Err(unfit("the tokio runtime has no timers; build it with `enable_all()`"));
        }
        if needs != Needs::TimersAndSockets {
            return Ok(());
        }
        let Some(socket) = any_socket() else {
            // The first connection will say what is wrong with sockets here.
            return Ok(());
        };
        match catch_unwind(AssertUnwindSafe(|| drop(tokio::net::UdpSocket::from_std(socket)))) {
            Ok(()) => Ok(()),
            Err(_) => Err(unfit("the tokio runtime has no I/O; build it with `enable_all()`")),
        }
    }
}

/// What a host needs of its runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// A host whose connections are in memory.
    #[cfg(feature = "embedded")]
    Timers,
    TimersAndSockets,
}

fn unfit(why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("clients cannot run here: {why}"))
}

fn any_socket() -> Option<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

impl Host for Tokio {
    fn check(&self) -> Result<(), Error> {
        self.check_for(Needs::TimersAndSockets)
    }

    fn now(&self) -> Now {
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        Now { mono: Instant::from_micros(micros), unix_ms }
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.run(task);
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<()> {
        let deadline = self.start + Duration::from_micros(at.as_micros());
        Box::pin(tokio::time::sleep_until(deadline))
    }

    fn connect(&self, link: Box<dyn Link>) {
        #[cfg(feature = "websocket")]
        if let Some(tunnel) = self.tunnel.clone() {
            return self.drive(link, |address| tunnel.connect(address), "");
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.clone() {
            return self.drive(link, |address| tls.connect(address), "");
        }
        let open = async |address| resolve::connect(address).await;
        self.drive(link, open, "; perhaps it demands TLS");
    }

    fn identity(&self) -> Identity {
        Identity { ip: local_ip(), process_id: std::process::id(), ..Identity::default() }
    }

    /// Below `.rocketmq_offsets` of the user's home, as with Java's client.
    fn offset_store(&self, instance: &str, group: &str) -> BoxFuture<Result<Arc<dyn OffsetStore>, Error>> {
        let home =
            std::env::home_dir().ok_or_else(|| Error::new(ErrorKind::OffsetStore, "the user has no home folder"));
        let store = home.map(|home| FileOffsets::new(home.join(".rocketmq_offsets"), instance, group));
        Box::pin(std::future::ready(store.map(|store| Arc::new(store) as Arc<dyn OffsetStore>)))
    }

    fn seed(&self) -> u64 {
        // Each of these has keys of its own, which the standard library draws from the system.
        RandomState::new().build_hasher().finish()
    }
}

/// The address that this machine would send from: asking for a route to an address that documentation reserves sends
/// nothing.
fn local_ip() -> IpAddr {
    let ask = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    ask().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}
