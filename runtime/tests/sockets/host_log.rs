//! A host with a log of its own: lines go there, and not to the application's subscriber.

use std::sync::{Arc, Mutex};

use stgclient::host::{Host, Link};
use stgclient::{BoxFuture, ClientBuilder, Notice, Severity};
use stgclient_core::client::Identity;
use stgclient_core::time::{Instant, Now};
use stgclient_tokio::Tokio;
use stgclient_tokio::embedded::EmbeddedCluster;
use tokio::runtime::Builder;

use crate::logs::Hears;

/// Tokio, with a log.
#[derive(Default)]
struct Logging {
    tokio: Tokio,
    lines: Arc<Mutex<Vec<Notice>>>,
}

impl Host for Logging {
    fn now(&self) -> Now {
        self.tokio.now()
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.tokio.spawn(task);
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<()> {
        self.tokio.sleep_until(at)
    }

    fn connect(&self, link: Box<dyn Link>) {
        self.tokio.connect(link);
    }

    fn identity(&self) -> Identity {
        self.tokio.identity()
    }

    fn seed(&self) -> u64 {
        self.tokio.seed()
    }

    fn log(&self, notice: &Notice) -> bool {
        assert!(!stgclient::holds_lock(), "who logs may use the client");
        self.lines.lock().unwrap().push(notice.clone());
        true
    }
}

#[test]
fn a_hosts_own_log_has_the_lines_in_place_of_the_applications_subscriber() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    let host = Logging::default();
    let lines = Arc::clone(&host.lines);
    tracing::subscriber::with_default(Hears(move |words: String| hearing.lock().unwrap().push(words)), || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let cluster = EmbeddedCluster::builder().start().await.unwrap();
            let client = ClientBuilder::on(Arc::new(host), cluster.name_server_address()).connect().await.unwrap();
            let client_id = client.client_id().to_owned();
            let consumer = client.push_consumer("G").subscribe("missing", "*");
            consumer.concurrently(|_| async { Ok(()) }).start().await.unwrap().close().await;
            client.close().await;
            cluster.close().await;
            let lines = lines.lock().unwrap();
            let of =
                |what: &str| lines.iter().find(|line| line.what == what).unwrap_or_else(|| panic!("{what}: {lines:?}"));
            assert_eq!(of("connecting").severity, Severity::Debug);
            assert_eq!(of("connected").get("client_id"), Some(&*client_id));
            assert_eq!(of("the topic does not exist yet").get("group"), Some("G"));
            assert_eq!(of("closed").get("reason"), Some("the client ends it"));
        });
    });
    assert!(heard.lock().unwrap().is_empty(), "{heard:?}");
}
