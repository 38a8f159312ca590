//! How the gateway comes to the cluster: TLS, and who it is there.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use stgclient::{Client, ConsumeFrom, Credentials, Message as Sent};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::frame::FrameReader;
use stgclient_gateway::Resolver;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::answers::Answers;
use crate::certificates::{Authority, Certified};
use crate::scene::{PATIENCE, Scene, TOKEN, Wanted, answer, bearer, folder, request};

/// Ends TLS before a server in memory, which has none. It keeps what was asked.
struct Front {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Front {
    async fn before(server: String, acceptor: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let keeping = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, server, asked) = (acceptor.clone(), server.clone(), Arc::clone(&keeping));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let (mut from, mut to) = tokio::io::split(stream);
                    let (mut answers, mut questions) = TcpStream::connect(server).await.unwrap().into_split();
                    let down = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to).await });
                    let at = {
                        let mut asked = asked.lock().unwrap();
                        asked.push(Vec::new());
                        asked.len() - 1
                    };
                    let mut piece = vec![0; 1 << 16];
                    while let Ok(count @ 1..) = from.read(&mut piece).await {
                        asked.lock().unwrap()[at].extend_from_slice(&piece[..count]);
                        if questions.write_all(&piece[..count]).await.is_err() {
                            break;
                        }
                    }
                    down.abort();
                });
            }
        });
        Self { address, asked }
    }

    /// All that was asked, on any connection.
    fn commands(&self) -> Vec<Command> {
        let mut commands = Vec::new();
        for bytes in &*self.asked.lock().unwrap() {
            let mut reader = FrameReader::new(1 << 24);
            reader.extend(bytes);
            commands.extend(std::iter::from_fn(|| reader.next_command().unwrap()));
        }
        commands
    }
}

/// A cluster that speaks TLS: its name server is `mq.test`, its broker an address.
struct Secured {
    behind: Scene,
    name_server: Front,
    broker: Front,
    authority: Authority,
    folder: PathBuf,
}

impl Secured {
    /// With certificates of the name server and of the broker for these, which may ask for one, too.
    async fn new(name_server: &str, broker: &str, is_strict: bool) -> Self {
        let (behind, authority, folder) = (Scene::new("").await, Authority::new(), folder());
        fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
        let acceptor = |server: Certified| server.acceptor(is_strict.then_some(&authority));
        let name_server = Front::before(behind.name_server(), acceptor(authority.server(name_server))).await;
        let broker = Front::before(behind.broker(), acceptor(authority.server(broker))).await;
        Self { behind, name_server, broker, authority, folder }
    }

    /// What a client calls the name server.
    fn target(&self) -> String {
        format!("mq.test:{}", self.name_server.address.port())
    }

    /// A gateway before it that has been told this of the cluster.
    async fn gateway(&self, more: &str) -> Scene {
        self.gateway_of(self.target(), more).await
    }

    /// The same, that calls the name server by this.
    async fn gateway_of(&self, name_server: String, more: &str) -> Scene {
        let answers = Answers::default();
        answers.set("mq.test", &["127.0.0.1"]);
        let more = format!(
            "[cluster.reachable]\n\"{}\" = \"{}\"\n[cluster.tls]\n{}",
            self.behind.broker(),
            self.broker.address,
            more.replace("FOLDER", &self.folder.display().to_string()),
        );
        let resolver = Some(Arc::new(answers) as Arc<dyn Resolver>);
        Scene::with(Wanted { more: &more, instead: Some(name_server), resolver, ..Wanted::default() }).await
    }

    /// A client through this gateway creates a topic, sends and consumes.
    async fn is_used_through(&self, scene: &Scene, credentials: Option<Credentials>) {
        let mut builder = Client::builder(self.target()).tunnel(scene.tunnel());
        if let Some(credentials) = credentials {
            builder = builder.credentials(credentials);
        }
        let client = builder.connect().await.unwrap();
        client.admin().create_topic("orders").queues(1).await.unwrap();
        client.producer("shop").start().await.unwrap().send(Sent::new("orders", "hello")).await.unwrap();
        let (took, mut taken) = mpsc::unbounded_channel();
        let consumer = client.push_consumer("shop").subscribe("orders", "*").consume_from(ConsumeFrom::FirstOffset);
        let consumer = consumer
            .concurrently(move |message| {
                let _ = took.send(message.body().to_vec());
                async { Ok(()) }
            })
            .start()
            .await
            .unwrap();
        assert_eq!(tokio::time::timeout(PATIENCE, taken.recv()).await.unwrap().unwrap(), b"hello");
        consumer.close().await;
        client.close().await;
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// How a tunnel to a server is closed.
async fn closed(scene: &Scene, target: &str) -> (u16, String) {
    scene.closed(&format!("?target={target}"), &[("Sec-WebSocket-Protocol", &bearer(TOKEN))]).await
}

const CA: &str = "ca_file = \"FOLDER/ca.pem\"";

#[tokio::test]
async fn a_cluster_that_speaks_tls_is_known_by_the_names_and_addresses_that_it_has() {
    let secured = Secured::new("mq.test", "127.0.0.1", false).await;
    let scene = secured.gateway(CA).await;
    secured.is_used_through(&scene, None).await;
}

#[tokio::test]
async fn a_server_is_known_by_what_the_file_calls_it_however_a_visitor_writes_it() {
    let secured = Secured::new("127.0.0.1", "127.0.0.1", false).await;
    let port = secured.name_server.address.port();
    let scene = secured.gateway_of(format!("127.0.0.1:{port}"), CA).await;
    let list = request(RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, 1, &[], b"");
    for target in [format!("127.0.0.1:{port}"), format!("[::ffff:127.0.0.1]:{port}"), format!("[::ffff:7f00:1]:{port}")]
    {
        let mut socket = scene.tunnel_to(&target).await;
        assert_eq!(answer(&mut socket, &list).await.code, 0, "{target}");
    }
}

#[tokio::test]
async fn certificates_may_be_for_one_name_that_the_file_says() {
    let secured = Secured::new("cluster.test", "cluster.test", false).await;
    let scene = secured.gateway(&format!("{CA}\nserver_name = \"cluster.test\"")).await;
    secured.is_used_through(&scene, None).await;
}

#[tokio::test]
async fn a_server_with_a_certificate_for_another_name_is_told_nothing() {
    let secured = Secured::new("evil.test", "mq.test", false).await;
    let scene = secured.gateway(CA).await;
    let (code, words) = closed(&scene, &secured.target()).await;
    assert_eq!((code, words.contains("certificate")), (4502, true), "{words}");
    assert!(secured.name_server.commands().is_empty(), "neither by a visitor nor by the gateway itself");
}

#[tokio::test]
async fn a_server_of_another_authority_is_told_nothing() {
    let secured = Secured::new("mq.test", "127.0.0.1", false).await;
    fs::write(secured.folder.join("ca.pem"), Authority::new().pem()).unwrap();
    let scene = secured.gateway(CA).await;
    let (code, words) = closed(&scene, &secured.target()).await;
    assert_eq!((code, words.contains("certificate")), (4502, true), "{words}");
    assert!(secured.name_server.commands().is_empty());
}

#[tokio::test]
async fn a_cluster_may_ask_who_the_gateway_is() {
    let secured = Secured::new("mq.test", "127.0.0.1", true).await;
    let nobody = secured.gateway(CA).await;
    assert_eq!(closed(&nobody, &secured.target()).await.0, 4502);
    secured.authority.visitor().write(&secured.folder, "us");
    let us = format!("{CA}\ncertificate_file = \"FOLDER/us.pem\"\nkey_file = \"FOLDER/us.key\"");
    let scene = secured.gateway(&us).await;
    secured.is_used_through(&scene, None).await;
}

#[tokio::test]
async fn what_visitors_ask_is_signed_by_the_gateway_whoever_has_signed_it_before() {
    let secured = Secured::new("mq.test", "127.0.0.1", false).await;
    fs::write(secured.folder.join("secret"), "a secret of the gateway").unwrap();
    let ours = format!("{CA}\n[cluster.credentials]\naccess_key = \"gateway\"\nsecret_key_file = \"FOLDER/secret\"");
    let scene = secured.gateway(&ours).await;
    secured.is_used_through(&scene, None).await;
    let own = Credentials::new("visitor", "a secret of the visitor").security_token("his");
    secured.is_used_through(&scene, Some(own)).await;
    for front in [&secured.name_server, &secured.broker] {
        let asked: Vec<Command> = front.commands().into_iter().filter(|command| !command.is_response()).collect();
        assert!(!asked.is_empty());
        for command in asked {
            let field = |name| command.fields.get(name).map(std::borrow::Cow::into_owned);
            let said = ["AccessKey", "SecurityToken"].map(field);
            assert_eq!(said, [Some("gateway".to_owned()), None], "{}", command.code);
            assert!(field("Signature").is_some_and(|signature| !signature.is_empty()), "{}", command.code);
        }
    }
}
