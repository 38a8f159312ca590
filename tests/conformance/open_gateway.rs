//! A gateway in front of a cluster, as tests open it: whoever has its token may do anything that goes through a gateway.

use std::fs;
use std::path::PathBuf;

use stgclient::{Dialect, Tunnel};
use stgclient_gateway::{Config, Gateway, Handle};

use crate::cluster::unique;

const TOKEN: &str = "a-token-of-the-tests";
/// All topics and groups, but each has to be named, so every request is read.
const RULES: &str = "topics = [\"*\"]\ngroups = [\"*\"]";

/// A gateway that is open until it is dropped.
#[derive(Debug)]
pub struct OpenGateway {
    handle: Handle,
    url: String,
    folder: PathBuf,
}

impl OpenGateway {
    /// A gateway in front of the cluster of these name servers.
    pub async fn before(name_servers: [&str; 2], dialect: Dialect) -> Self {
        Self::told(&name_servers, dialect, RULES).await
    }

    /// The same without rules, and with more in its file, from the token's table on.
    pub async fn told(name_servers: &[&str], dialect: Dialect, more: &str) -> Self {
        let folder = std::env::temp_dir().join(unique("gateway"));
        fs::create_dir_all(&folder).expect("the temporary folder can be written to");
        let token = folder.join("token");
        fs::write(&token, TOKEN).expect("the folder is there");
        let config = Config::from_text(&format!(
            r#"
            listen = "127.0.0.1:0"
            [cluster]
            name_servers = {name_servers:?}
            networks = ["loopback", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
            dialect = "{dialect}"
            [[tokens]]
            name = "tests"
            token_file = "{}"
            administers = true
            {more}
            "#,
            token.display()
        ));
        let gateway = Gateway::open(&config.expect("the configuration is right")).await.expect("there is a free port");
        let url = format!("ws://{}/tunnel", gateway.address().expect("it listens"));
        let handle = gateway.handle();
        drop(tokio::spawn(gateway.run()));
        Self { handle, url, folder }
    }

    /// The way through it.
    pub fn tunnel(&self) -> Tunnel {
        Tunnel::builder(&self.url).token(TOKEN).build().expect("the URL and the token are right")
    }

    /// What it has counted.
    pub fn metrics(&self) -> String {
        self.handle.metrics()
    }
}

impl Drop for OpenGateway {
    fn drop(&mut self) {
        self.handle.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
