//! The service on a cluster in memory, well and unwell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use stgclient::embedded::{Force, Forced, Memory, ServerId};
use stgclient::{Client, ClientState, ErrorKind, SendStatus};
use stgclient_order_service::{Audit, Bill, Order, OrderService, Reason, TRIES};
use tokio::task::JoinSet;

/// By when everything has to have happened.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_order_is_billed_and_its_bill_found_by_its_id() {
    let (client, service) = start().await;
    let receipt = service.place(&order("ann", 0)).await.unwrap();
    assert_eq!(receipt.status, SendStatus::SendOk);
    assert_eq!(bills(&client, 1).await, [Bill { order: "ann-0".into(), customer: "ann".into(), cents: 250 }]);
    let found = client.admin().messages_by_key("bills", "ann-0").await.unwrap();
    assert_eq!((found.len(), found[0].tag()), (1, Some("sent")));

    eventually("all is billed", async || (service.health().lag == Some(0)).then_some(())).await;
    let health = service.health();
    assert_eq!((health.state, health.is_ready, health.metrics.all_sends().send_ok), (ClientState::Connected, true, 2));
    stop(&client, &service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bills_of_each_customer_come_in_the_order_of_the_orders() {
    let (client, service) = start().await;
    let mut customers = JoinSet::new();
    for customer in 0..20 {
        let service = Arc::clone(&service);
        customers.spawn(async move {
            for number in 0..50 {
                service.place(&order(&customer.to_string(), number)).await.unwrap();
            }
        });
    }
    customers.join_all().await;
    let bills = bills(&client, 1000).await;
    assert_eq!(bills.len(), 1000, "an order was billed twice");
    assert_complete(&bills, 20, 50);
    stop(&client, &service).await;
}

#[tokio::test]
async fn an_order_is_placed_once_whatever_the_status_of_its_receipt() {
    let (client, service) = start().await;
    let statuses = [
        (Forced::FlushDiskTimeout, SendStatus::FlushDiskTimeout),
        (Forced::FlushSlaveTimeout, SendStatus::FlushSlaveTimeout),
        (Forced::SlaveNotAvailable, SendStatus::SlaveNotAvailable),
    ];
    for (number, (forced, status)) in (0..).zip(statuses) {
        force(&client, Force::sends(forced).on_topic("orders").times(1));
        assert_eq!(service.place(&order("ann", number)).await.unwrap().status, status);
    }
    let bills = bills(&client, 3).await;
    assert_eq!(bills.len(), 3);
    assert_complete(&bills, 1, 3);
    stop(&client, &service).await;
}

#[tokio::test]
async fn a_busy_broker_delays_orders_and_bills_and_loses_none() {
    let (client, service) = start().await;
    // Within the tries of one send, and beyond.
    force(&client, Force::sends(Forced::busy()).on_topic("orders").times(1));
    service.place(&order("ann", 0)).await.unwrap();
    force(&client, Force::sends(Forced::busy()).on_topic("orders"));
    let error = service.place(&order("ann", 1)).await.unwrap_err();
    assert!(error.is_busy() && error.is_retryable(), "{error}");
    mend(&client);

    force(&client, Force::sends(Forced::busy()).on_topic("bills").times(10));
    service.place(&order("ann", 1)).await.unwrap();
    let bills = bills(&client, 2).await;
    assert_complete(&bills, 1, 2);
    assert_eq!(service.send_dead_letters_again().await.unwrap(), 0);
    stop(&client, &service).await;
}

#[tokio::test]
async fn an_order_that_cannot_be_billed_lets_others_pass_and_is_billed_once_it_can_be() {
    let client = Client::embedded().await.unwrap();
    let (has_price, tries) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (known, tried) = (Arc::clone(&has_price), Arc::clone(&tries));
    let price = move |order: &Order| match order.id.as_str() {
        "ann-0" if !known.load(Ordering::Relaxed) => {
            tried.fetch_add(1, Ordering::Relaxed);
            Err("tea has no price".into())
        }
        _ => Ok(250),
    };
    let service = OrderService::start(&client, price).await.unwrap();
    service.place(&order("ann", 0)).await.unwrap();
    service.place(&order("ann", 1)).await.unwrap();
    assert_eq!(ids(&bills(&client, 1).await), ["ann-1"]);
    assert_eq!(tries.load(Ordering::Relaxed), TRIES);

    has_price.store(true, Ordering::Relaxed);
    assert_eq!(service.send_dead_letters_again().await.unwrap(), 1);
    assert_eq!(ids(&bills(&client, 2).await), ["ann-1", "ann-0"]);
    assert_eq!(service.send_dead_letters_again().await.unwrap(), 0, "it was sent once already");
    stop(&client, &service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_restarts_loses_no_order_and_changes_no_order() {
    let (client, service) = start().await;
    let mut customers = JoinSet::new();
    for customer in 0..5 {
        let service = Arc::clone(&service);
        customers.spawn(async move {
            for number in 0..100 {
                let order = order(&customer.to_string(), number);
                while let Err(error) = service.place(&order).await {
                    assert!(error.is_retryable(), "{error}");
                }
            }
        });
    }
    bills(&client, 50).await;
    let cluster = client.embedded_cluster().unwrap();
    cluster.stop_server(ServerId::Broker(0));
    eventually("it is missed", async || (service.health().state == ClientState::Degraded).then_some(())).await;
    cluster.start_server(ServerId::Broker(0), Memory::Kept);

    tokio::time::timeout(SOON, customers.join_all()).await.expect("all orders are placed");
    assert_complete(&bills(&client, 500).await, 5, 100);
    assert_eq!(service.send_dead_letters_again().await.unwrap(), 0);
    stop(&client, &service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_placed_before_a_stop_under_load_is_billed_once() {
    let (client, service) = start().await;
    let mut customers = JoinSet::new();
    for customer in 0..10 {
        let service = Arc::clone(&service);
        customers.spawn(async move {
            for number in 0.. {
                if let Err(error) = service.place(&order(&customer.to_string(), number)).await {
                    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                    return number;
                }
            }
            unreachable!("it places orders until the service stops")
        });
    }
    bills(&client, 100).await;
    assert!(service.stop().await.is_empty());
    let placed: u32 = customers.join_all().await.into_iter().sum();

    // What had not been billed is, by the next one.
    let service = OrderService::start(&client, price).await.unwrap();
    let bills = bills(&client, placed as usize).await;
    assert_eq!(bills.len(), placed as usize, "an order was billed twice");
    assert_in_order(&bills);
    service.stop().await;
    client.close().await;
}

#[tokio::test]
async fn an_audit_goes_on_where_it_was() {
    let (client, service) = start().await;
    let folder = folder();
    for (number, expected) in (0..).zip([["ann-0"], ["ann-1"]]) {
        service.place(&order("ann", number)).await.unwrap();
        bills(&client, number as usize + 1).await;
        let mut audit = Audit::open(&client, &folder).await.unwrap();
        let error = Audit::open(&client, &folder).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OffsetStore, "two at once: {error}");
        let mut seen = Vec::new();
        audit.catch_up(|bill| seen.push(bill)).await.unwrap();
        assert_eq!(ids(&seen), expected);
        audit.catch_up(|bill| panic!("{bill:?} was seen already")).await.unwrap();
    }
    stop(&client, &service).await;
}

async fn start() -> (Client, Arc<OrderService>) {
    let client = Client::embedded().await.unwrap();
    let service = OrderService::start(&client, price).await.unwrap();
    (client, Arc::new(service))
}

async fn stop(client: &Client, service: &OrderService) {
    assert!(service.stop().await.is_empty());
    client.close().await;
    assert_eq!(client.state(), ClientState::Closed);
}

fn price(_: &Order) -> Result<u64, Reason> {
    Ok(250)
}

fn order(customer: &str, number: u32) -> Order {
    Order { id: format!("{customer}-{number}"), customer: customer.into(), goods: "tea".into() }
}

fn force(client: &Client, force: Force) {
    client.embedded_cluster().unwrap().with(|cluster| cluster.broker("broker-a").unwrap().force(force));
}

fn mend(client: &Client) {
    client.embedded_cluster().unwrap().with(|cluster| cluster.broker("broker-a").unwrap().clear_forces());
}

/// All bills, once so many different ones are there.
async fn bills(client: &Client, count: usize) -> Vec<Bill> {
    let mut audit = Audit::open(client, &folder()).await.unwrap();
    let mut bills = Vec::new();
    eventually("the bills are there", async || {
        // While a broker restarts it does not answer.
        let _ = audit.catch_up(|bill| bills.push(bill)).await;
        (ids(&bills).into_iter().collect::<BTreeSet<_>>().len() >= count).then_some(())
    })
    .await;
    bills
}

fn ids(bills: &[Bill]) -> Vec<&str> {
    bills.iter().map(|bill| bill.order.as_str()).collect()
}

/// Each of so many customers has bills of so many orders, in the order of the orders.
fn assert_complete(bills: &[Bill], customers: usize, orders: usize) {
    let numbers = assert_in_order(bills);
    assert_eq!((numbers.len(), numbers.values().filter(|&&count| count == orders).count()), (customers, customers));
}

/// What is billed for the first time is the customer's next order. Says how many each has.
fn assert_in_order(bills: &[Bill]) -> BTreeMap<&str, usize> {
    let mut numbers = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for bill in bills.iter().filter(|bill| seen.insert(&bill.order)) {
        let number: &mut usize = numbers.entry(bill.customer.as_str()).or_default();
        assert_eq!(bill.order, format!("{}-{number}", bill.customer));
        *number += 1;
    }
    numbers
}

/// A folder of its own for every call.
fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Looks again until there is something, and fails the test when there is nothing soon.
async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
