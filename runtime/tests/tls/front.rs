//! A cluster that is reached over TLS only: a front before each server, with a certificate.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stgclient::embedded::EmbeddedCluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use crate::authority::{Authority, Certified};

/// How a front speaks TLS.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) version: &'static SupportedProtocolVersion,
    /// Whose certificates it demands of clients.
    pub(crate) clients: Option<Arc<Authority>>,
}

impl Default for Manner {
    fn default() -> Self {
        Self { version: &version::TLS13, clients: None }
    }
}

/// An embedded cluster behind fronts.
pub(crate) struct Secured {
    pub(crate) name_server: String,
    pub(crate) broker: String,
    seen: Arc<Seen>,
    cut: broadcast::Sender<()>,
    /// Where the servers themselves listen, without TLS.
    pub(crate) plain_name_server: String,
    _cluster: EmbeddedCluster,
}

/// What all fronts of a cluster have seen.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    /// Connections that ended as TLS wants it, the client having said so.
    farewells: AtomicUsize,
}

impl Secured {
    /// All fronts with the same certificate.
    pub(crate) async fn start(certified: &Certified, manner: &Manner) -> Self {
        Self::start_with(certified, certified, manner).await
    }

    /// The fronts of the name server and of the broker with a certificate each.
    pub(crate) async fn start_with(name_servers: &Certified, brokers: &Certified, manner: &Manner) -> Self {
        // The servers listen at one address, the fronts at the same ports of another, which routes name.
        let cluster = EmbeddedCluster::builder().advertise("127.0.0.2").start().await.expect("free ports");
        let (name_server, broker) = (cluster.name_server_address().to_owned(), cluster.broker_addresses()[0].clone());
        let (cut, _) = broadcast::channel(1);
        let seen = Arc::new(Seen::default());
        for (address, certified) in [(&name_server, name_servers), (&broker, brokers)] {
            let listen: SocketAddr = address.parse().expect("an IP address");
            let listener = TcpListener::bind(listen).await.expect("a free port");
            let target = plain(address).parse().expect("an IP address");
            let acceptor = acceptor(certified, manner);
            tokio::spawn(accept(listener, target, acceptor, Arc::clone(&seen), cut.clone()));
        }
        let plain_name_server = plain(&name_server);
        Self { name_server, broker, seen, cut, plain_name_server, _cluster: cluster }
    }

    /// How many connections the fronts took.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many connections the client ended as TLS wants it.
    pub(crate) fn farewells(&self) -> usize {
        self.seen.farewells.load(Ordering::SeqCst)
    }

    /// Ends all connections, without a word.
    pub(crate) fn cut(&self) {
        self.cut.send(()).expect("the fronts listen");
    }
}

fn plain(address: &str) -> String {
    address.replace("127.0.0.2", "127.0.0.1")
}

fn acceptor(certified: &Certified, manner: &Manner) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_protocol_versions(&[manner.version]).expect("versions");
    let config = match &manner.clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der()).expect("a CA");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            config.with_client_cert_verifier(verifier.expect("a verifier"))
        }
        None => config.with_no_client_auth(),
    };
    let (certificate, key) = certified.der();
    TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).expect("a certificate")))
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    acceptor: TlsAcceptor,
    seen: Arc<Seen>,
    cut: broadcast::Sender<()>,
) {
    while let Ok((client, _)) = listener.accept().await {
        seen.connections.fetch_add(1, Ordering::SeqCst);
        let (acceptor, seen, mut cut) = (acceptor.clone(), Arc::clone(&seen), cut.subscribe());
        tokio::spawn(async move {
            tokio::select! {
                passed = pass(client, target, acceptor) => {
                    seen.farewells.fetch_add(usize::from(passed.is_ok()), Ordering::SeqCst);
                }
                _ = cut.recv() => {}
            }
        });
    }
}

/// Passes on everything; fails when the client ends without TLS's farewell.
async fn pass(client: TcpStream, target: SocketAddr, acceptor: TlsAcceptor) -> io::Result<()> {
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(target).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// A server that takes connections and bytes and never says a word.
pub(crate) async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 1024];
                while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
                stream.shutdown().await
            });
        }
    });
    address
}
