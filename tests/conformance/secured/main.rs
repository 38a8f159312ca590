//! A real cluster that lets in whom it knows only: TLS by a private CA, and access control (auth 2.0).

// The environment says where the cluster is.
#![allow(clippy::disallowed_methods)]

mod access;
mod acl;
mod gateway;
mod transport;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use stgclient::{Client, ClientBuilder, Credentials, Tls, TlsBuilder};
use tokio::process::Command;

fn variable(name: &str) -> String {
    let name = format!("STGCLIENT_{name}");
    let unset = "is not set: run this below tests/servers/with-secured-cluster";
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} {unset}"))
}

/// A file that `tests/servers/certificates` made.
fn file(name: &str) -> PathBuf {
    PathBuf::from(variable("CERTIFICATES")).join(name)
}

/// Trusts the cluster's CA.
fn trusting() -> TlsBuilder {
    Tls::builder().ca_file(file("ca.pem"))
}

/// A client of these name servers over TLS, still to be set up.
fn builder(name_servers: &str, tls: TlsBuilder) -> ClientBuilder {
    let tls = tls.build().expect("the files are there");
    Client::builder(name_servers).tls(tls).request_timeout(Duration::from_secs(10))
}

/// The user who may do anything.
fn administrator() -> Credentials {
    let administrator = variable("ADMIN");
    let (user, password) = administrator.split_once(' ').expect("a user and a password");
    Credentials::new(user, password)
}

/// A client of the cluster that signs with these credentials.
async fn client_of(credentials: Credentials) -> Client {
    let builder = builder(&variable("NAME_SERVER"), trusting()).credentials(credentials);
    builder.connect().await.expect("the name server has no access control")
}

/// Has Apache's own tool change something at the broker.
async fn mqadmin(arguments: &[&str]) {
    let (name_server, broker) = (variable("NAME_SERVER"), variable("BROKER"));
    let mut command = Command::new(variable("MQADMIN"));
    command.args(arguments).args(["-n", &name_server, "-b", &broker]);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("Java is installed");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(text.contains("success"), "{arguments:?}: {text}");
}
