//! A host with a log of its own: lines go there, and not to the application's subscriber.

use std::sync::{Arc, Mutex};

use stgclient::{ClientBuilder, Severity};
use stgclient_tokio::embedded::EmbeddedCluster;
use tokio::runtime::Builder;

use crate::logs::Hears;
use crate::watched::Watched;

#[test]
fn a_hosts_own_log_has_the_lines_in_place_of_the_applications_subscriber() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    let lines = Arc::default();
    let host = Watched { lines: Some(Arc::clone(&lines)), ..Watched::default() };
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
