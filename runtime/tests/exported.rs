//! What is counted reaches somebody else's recorder, and reads there as scrapers want it.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use stgclient::{Client, Message};

#[tokio::test]
async fn a_recorder_gets_all_that_a_client_counts() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let client = Client::embedded().await.expect("a cluster in memory");
    client.admin().create_topic("orders").queues(1).await.expect("it is created");
    let producer = client.producer("shop").start().await.expect("a producer");
    let consumer = client.push_consumer("billing").subscribe("orders", "*").concurrently(|_| async { Ok(()) });
    let consumer = consumer.start().await.expect("a consumer");
    consumer.ready().await.expect("it is ready");
    for _ in 0..3 {
        producer.send(Message::new("orders", "hello")).await.expect("it is sent");
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while client.metrics().consumers["billing"].consumed < 3 {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", client.metrics());
        tokio::task::yield_now().await;
    }
    // Twice is as once: what is counted is not added up again.
    for _ in 0..2 {
        metrics::with_local_recorder(&recorder, || client.export_metrics());
    }
    let page = recorder.handle().render();
    let id = client.client_id();
    let broker = client.metrics().sends.keys().next().expect("a broker").to_string();
    for (name, labels, value) in [
        ("stgclient_sends_total", format!("client=\"{id}\",broker=\"{broker}\",outcome=\"SEND_OK\""), "3"),
        ("stgclient_sends_total", format!("client=\"{id}\",broker=\"{broker}\",outcome=\"failed\""), "0"),
        ("stgclient_send_tries_total", format!("client=\"{id}\",broker=\"{broker}\""), "3"),
        ("stgclient_send_seconds_bucket", format!("client=\"{id}\",le=\"+Inf\""), "3"),
        ("stgclient_send_seconds_count", format!("client=\"{id}\""), "3"),
        ("stgclient_messages_in_flight", format!("client=\"{id}\""), "0"),
        ("stgclient_consumed_messages_total", format!("client=\"{id}\",group=\"billing\""), "3"),
    ] {
        let line = format!("{name}{{{labels}}} {value}\n");
        assert!(page.contains(&line), "no {line} in\n{page}");
    }
    // What a quantile is worked out from: buckets that rise.
    let buckets = page.lines().filter(|line| line.starts_with("stgclient_send_seconds_bucket"));
    let last = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).expect("a number");
    assert_eq!(buckets.clone().count(), 20);
    assert_eq!(buckets.map(last).max(), Some(3));
    // Of a consumer that is closed nobody knows the lag.
    consumer.close().await;
    metrics::with_local_recorder(&recorder, || client.export_metrics());
    let page = recorder.handle().render();
    assert!(page.contains(&format!("stgclient_lag_messages{{client=\"{id}\",group=\"billing\"}} NaN\n")), "{page}");
    client.close().await;
}
