//! How a gateway is run: as a program, reloaded, drained, watched.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use stgclient::{Client, ErrorKind, Message as Sent, Tls, Tunnel};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::scene::{PATIENCE, Scene, TOKEN, Wanted, close_of, eventually, folder};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stgclient-gateway"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn ended(child: Child) -> (bool, String, String) {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_file_is_checked_with_all_that_it_names_and_told_what_to_write_instead() {
    let folder = folder();
    let file = folder.join("gateway.toml");
    let token = folder.join("token");
    fs::write(&token, TOKEN).unwrap();
    let least = format!(
        "listen = \"127.0.0.1:0\"\n[cluster]\nname_servers = [\"10.0.0.1:9876\"]\nnetworks = [\"10.0.0.0/8\"]\n\
         [[tokens]]\nname = \"a\"\ntoken_file = {:?}\n",
        token.display().to_string()
    );
    let check = async |text: &str| {
        fs::write(&file, text).unwrap();
        ended(program(&["--check", "--config", file.to_str().unwrap()]).spawn().unwrap()).await
    };
    let (is_well, said, log) = check(&least).await;
    assert!(is_well && said.contains("all is well") && !log.contains("without TLS"), "{log}");
    let (is_well, _, log) = check(&least.replacen("127.0.0.1:0", "0.0.0.0:0", 1)).await;
    assert!(is_well && log.contains("WARN") && log.contains("0.0.0.0:0 is open without TLS"), "{log}");
    let twice = format!("{least}[[tokens]]\nname = \"b\"\ntoken_file = {:?}\n", token.display().to_string());
    let (is_well, _, said) = check(&twice).await;
    assert!(!is_well && said.contains("\"a\" has the same secret"), "{said}");
    for (from, to, words) in [
        ("10.0.0.0/8", "10.0.0.0/99", "write 10.0.0.0/8"),
        ("10.0.0.1:9876", "10.0.0.1", "expected host:port"),
        ("token_file", "token", "unknown field `token`"),
        (
            "[[tokens]]",
            "[tls]\ncertificate_file = \"nowhere.pem\"\nkey_file = \"nowhere.key\"\n[[tokens]]",
            "tls.key_file: nowhere.key: ",
        ),
        ("listen = \"127.0.0.1:0\"", "", "missing field `listen`"),
    ] {
        let (is_well, _, said) = check(&least.replacen(from, to, 1)).await;
        assert!(!is_well && said.contains(words), "{to}: {said}");
    }
    fs::write(&token, "short").unwrap();
    let (is_well, _, said) = check(&least).await;
    assert!(!is_well && said.contains("can be guessed"), "{said}");
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn one_command_gives_a_cluster_and_a_door_and_ends_when_it_is_told_to() {
    let mut child = program(&[
        "--embedded",
        "--listen",
        "127.0.0.1:0",
        "--origin",
        "http://localhost:7777",
        "--log-format",
        "json",
    ])
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = async |name: &str| {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        line.strip_prefix(name).unwrap_or_else(|| panic!("{line}")).trim().to_owned()
    };
    let name_server = said("name server").await;
    let url = said("tunnels").await;
    let tunnel = Tunnel::builder(&url).origin("http://localhost:7777").build().unwrap();
    let client = Client::builder(&name_server).tunnel(tunnel).connect().await.unwrap();
    client.admin().create_topic("orders").await.unwrap();
    let producer = client.producer("shop").start().await.unwrap();
    producer.send(Sent::new("orders", "a body that no log has")).await.unwrap();
    let stranger = Tunnel::builder(&url).origin("http://localhost:7778").build().unwrap();
    let error = Client::builder(&name_server).tunnel(stranger).connect().await.unwrap_err();
    assert!(error.to_string().contains("may not connect"), "{error}");
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::AccessDenied, false), "{error}");
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    let (is_well, _, log) = ended(child).await;
    assert!(is_well, "{log}");
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
    assert!(
        log.contains("\"why\":\"draining\"") && log.contains("\"why\":\"origin\"") && !log.contains("no log has"),
        "{log}"
    );
}

#[tokio::test]
async fn a_gateway_that_stops_lets_nobody_in_and_tells_those_who_are_there() {
    let mut scene = Scene::new("").await;
    let healthy = scene.http(&scene.operation, "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");
    let open = scene.tunnel_to(&scene.broker()).await;
    scene.gateway.stop();
    let draining = scene.http(&scene.operation, "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(draining.starts_with("HTTP/1.1 503"), "{draining}");
    assert_eq!(close_of(open).await, (1001, "the gateway stops".to_owned()));
    tokio::time::timeout(PATIENCE, &mut scene.running).await.expect("it ends").unwrap();
    assert!(tokio::net::TcpStream::connect(&scene.address).await.is_err());
}

#[tokio::test]
async fn who_sends_while_a_gateway_stops_loses_nothing_that_was_acknowledged_and_goes_on_through_the_next_one() {
    let scene = Scene::new("").await;
    let client = scene.client().await;
    client.admin().create_topic("orders").queues(1).await.unwrap();
    let producer = client.producer("shop").send_timeout(PATIENCE).start().await.unwrap();
    let mut acknowledged = Vec::new();
    for number in 0..50 {
        if number == 25 {
            scene.gateway.stop();
            break;
        }
        acknowledged.push(producer.send(Sent::new("orders", number.to_string())).await.unwrap());
    }
    let second = Scene::with(Wanted { instead: Some(scene.name_server()), ..Wanted::default() }).await;
    let tunnel = second.tunnel();
    let client = Client::builder(scene.name_server()).tunnel(tunnel).connect().await.unwrap();
    let pulls = client.pull_consumer("reader").start().await.unwrap();
    let batch = pulls.pull(&acknowledged[0].queue, "*", 0, 32).await.unwrap();
    assert_eq!(batch.messages.len(), acknowledged.len());
}

/// Far less than anything else that would end what is waited for here.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_gateway_that_stops_waits_no_longer_than_it_should_for_who_stays() {
    let mut scene = Scene::new("drain_seconds = 0.5\nhandshake_seconds = 100").await;
    let stays = scene.socket().await;
    eventually("he is there", || scene.count("stgclient_gateway_connections_total") == 1.0).await;
    scene.gateway.stop();
    tokio::time::timeout(SOON, &mut scene.running).await.expect("it ends").unwrap();
    drop(stays);
}

#[tokio::test]
async fn who_asks_nothing_of_the_operation_is_not_waited_for() {
    let scene = Scene::new("").await;
    let mut silent = tokio::net::TcpStream::connect(&scene.operation).await.unwrap();
    silent.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    let mut said = Vec::new();
    let end = tokio::time::timeout(SOON, silent.read_to_end(&mut said)).await;
    assert!(end.is_ok(), "it is still open, and said {:?}", String::from_utf8_lossy(&said));
}

/// A certificate for this machine, with its key, in a folder.
fn write_certificate(folder: &std::path::Path) -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.subject_alt_names.push(rcgen::SanType::IpAddress("127.0.0.1".parse().unwrap()));
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.join("door.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("door.key"), key.serialize_pem()).unwrap();
    certificate.pem()
}

#[tokio::test]
async fn a_certificate_is_replaced_under_load_and_a_wrong_one_is_not_taken() {
    let folder = folder();
    let first = write_certificate(&folder);
    let more = format!(
        "[tls]\ncertificate_file = {:?}\nkey_file = {:?}",
        folder.join("door.pem").display().to_string(),
        folder.join("door.key").display().to_string()
    );
    let scene = Scene::with(Wanted { more: &more, ..Wanted::default() }).await;
    let through = async |pem: &str| {
        let tls = Tls::builder().ca_pem(pem).build().unwrap();
        let tunnel = Tunnel::builder(format!("wss://{}/tunnel", scene.address)).token(TOKEN).tls(tls).build().unwrap();
        Client::builder(scene.name_server()).tunnel(tunnel).request_timeout(Duration::from_secs(5)).connect().await
    };
    let client = through(&first).await.unwrap();
    client.admin().create_topic("orders").await.unwrap();
    let producer = client.producer("shop").start().await.unwrap();
    let sending = tokio::spawn(async move {
        for number in 0..300 {
            producer.send(Sent::new("orders", number.to_string())).await.unwrap();
        }
    });
    let second = write_certificate(&folder);
    scene.gateway.reload_certificates().unwrap();
    assert!(through(&first).await.is_err(), "the old certificate is shown no more");
    through(&second).await.unwrap();
    fs::write(folder.join("door.pem"), "nonsense").unwrap();
    assert!(scene.gateway.reload_certificates().is_err());
    through(&second).await.unwrap();
    sending.await.unwrap();
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn what_is_counted_is_there_for_prometheus() {
    let scene = Scene::new("").await;
    let client = scene.client().await;
    client.close().await;
    let said = scene.http(&scene.operation, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    for name in ["connections_total", "bytes_total", "requests_total", "ends_total", "tunnels"] {
        assert!(said.contains(&format!("# TYPE stgclient_gateway_{name}")), "{name}: {said}");
    }
    assert!(said.starts_with("HTTP/1.1 200") && !said.contains(TOKEN));
    let nothing = scene.http(&scene.address, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(nothing.starts_with("HTTP/1.1 404"), "visitors may not see it");
}
