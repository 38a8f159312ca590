//! Credentials that change while a client runs.

use std::fmt::Debug;
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use stgclient::{Client, Credentials, ResponseCode};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

use crate::{SOON, eventually, wrong};

/// A name server that remembers the access keys of all who asked it something, and has one answer.
async fn name_server() -> (String, Arc<Mutex<Vec<String>>>) {
    let keys = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&keys);
    let address = wrong::answering(move |command| {
        let key = command.fields.get("AccessKey").unwrap_or_default().into_owned();
        heard.lock().unwrap().push(key);
        Some(wrong::answer(ResponseCode::TOPIC_NOT_EXIST, command.opaque))
    })
    .await;
    (address, keys)
}

async fn close(client: Client) {
    tokio::time::timeout(SOON, client.close()).await.expect("nothing of it is left");
}

#[tokio::test]
async fn what_a_provider_answers_signs_the_first_request_and_what_it_answers_later_those_after() {
    let (address, keys) = name_server().await;
    let count = Arc::new(AtomicU32::new(0));
    let asked = Arc::clone(&count);
    let builder = Client::builder(&address).credentials_provider(move || {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move { Credentials::new(format!("key {number}"), "secret") }
    });
    let client = builder.connect().await.unwrap();
    assert_eq!(*keys.lock().unwrap(), ["key 0"]);
    eventually("the next key is used", async || {
        _ = client.admin().topic_list().await;
        keys.lock().unwrap().last().is_some_and(|key| key == "key 1").then_some(())
    })
    .await;
    assert!(count.load(Ordering::SeqCst) <= 3, "it is not asked all the time");
    close(client).await;
    // Nobody is left who could ask it.
    assert_eq!(Arc::strong_count(&count), 1);
}

#[tokio::test]
async fn a_client_closes_although_its_provider_never_answers_again() {
    let (address, _) = name_server().await;
    let count = Arc::new(AtomicU32::new(0));
    let asked = Arc::clone(&count);
    let builder = Client::builder(&address).credentials_provider(move || {
        let (number, held) = (asked.fetch_add(1, Ordering::SeqCst), Arc::clone(&asked));
        async move {
            if number > 0 {
                pending::<()>().await;
            }
            drop(held);
            Credentials::new("key", "secret")
        }
    });
    let client = builder.connect().await.unwrap();
    eventually("it is asked again", async || (count.load(Ordering::SeqCst) == 2).then_some(())).await;
    close(client).await;
    assert_eq!(Arc::strong_count(&count), 1);
}

#[tokio::test]
async fn a_client_whose_provider_panics_goes_on_with_what_it_has_and_closes() {
    let (address, keys) = name_server().await;
    let count = Arc::new(AtomicU32::new(0));
    let asked = Arc::clone(&count);
    let builder = Client::builder(&address).credentials_provider(move || {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        assert_eq!(number, 0, "as the test wants it");
        async { Credentials::new("key", "secret") }
    });
    let client = builder.connect().await.unwrap();
    eventually("it has panicked", async || (Arc::strong_count(&count) == 1).then_some(())).await;
    _ = client.admin().topic_list().await;
    assert_eq!(*keys.lock().unwrap(), ["key", "key"]);
    close(client).await;
}

/// Everything that is logged, however unimportant.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        *self.0.lock().unwrap() += &format!("{field}={value:?} ");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn the_log_tells_of_new_credentials_and_shows_no_secret() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (address, _) = name_server().await;
    let count = AtomicU32::new(0);
    let builder = Client::builder(&address).credentials_provider(move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move { Credentials::new(format!("key {number}"), "a secret").security_token("a token") }
    });
    let client = builder.connect().await.unwrap();
    eventually("the log has the new key", async || log.0.lock().unwrap().contains("key 1").then_some(())).await;
    client.admin().create_topic("T").await.unwrap_err();
    close(client).await;
    let text = log.0.lock().unwrap().clone();
    assert!(text.contains("connected") && text.contains(&address), "it logs what happens: {text}");
    assert!(!text.contains("a secret") && !text.contains("a token"), "{text}");
}
