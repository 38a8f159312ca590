//! Applications on tokio in a world: their own code, with its sleeps, time-outs and tasks, unchanged.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stgclient::simulator::{Clients as _, ClusterConfig, ClusterHandle, Machine, Memory, Patience, ServerId, World};
use stgclient::{Client, ConsumeFrom, Error, Message, Producer, PushConsumer, ReceivedMessage};
use stgclient_simulator::StuckReason;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn world(seed: u64, brokers: u8) -> (World, ClusterHandle, Arc<Machine>) {
    let world = World::new(seed);
    let cluster = world.cluster(ClusterConfig::with_servers(1, brokers));
    let machine = world.machine();
    (world, cluster, machine)
}

async fn connected(machine: &Arc<Machine>, cluster: &ClusterHandle) -> Client {
    let client = machine.client(cluster).connect().await.unwrap();
    client.admin().create_topic("orders").queues(4).await.unwrap();
    client
}

/// An application's own function: it takes what it has in production, and knows nothing of worlds.
async fn place_orders(producer: &Producer, count: u32, pause: Duration) -> Result<(), Error> {
    for number in 0..count {
        producer.send(Message::new("orders", format!("order {number}"))).await?;
        sleep(pause).await;
    }
    Ok(())
}

/// Another one, which has each order told in a task of its own.
async fn bill(client: &Client) -> (PushConsumer, mpsc::UnboundedReceiver<String>) {
    let (told, orders) = mpsc::unbounded_channel();
    let handler = move |message: ReceivedMessage| {
        let told = told.clone();
        async move {
            let text = String::from_utf8_lossy(message.body()).into_owned();
            // The billing service takes its time.
            let billed = tokio::spawn(async move {
                sleep(Duration::from_millis(20)).await;
                text
            });
            told.send(billed.await.expect("it does not panic")).ok();
            Ok(())
        }
    };
    let builder = client.push_consumer("billing").subscribe("orders", "*").consume_from(ConsumeFrom::FirstOffset);
    (builder.concurrently(handler).start().await.unwrap(), orders)
}

#[test]
fn an_application_sleeps_for_hours_in_moments_and_its_clock_is_the_worlds() {
    let (world, cluster, machine) = world(1, 1);
    world.run(async {
        let client = connected(&machine, &cluster).await;
        let (_consumer, mut orders) = bill(&client).await;
        let (began, mono) = (Instant::now(), machine.clock().mono);
        place_orders(&client.producer("shop").start().await.unwrap(), 3, HOUR).await.unwrap();
        for _ in 0..3 {
            orders.recv().await.unwrap();
        }
        let elapsed = began.elapsed();
        assert!(elapsed >= 3 * HOUR && elapsed < 3 * HOUR + 10 * SECOND, "{elapsed:?}");
        let of_world = machine.clock().mono.since(mono);
        assert!(of_world.abs_diff(elapsed) < Duration::from_millis(2), "{of_world:?} beside {elapsed:?}");
        client.close().await;
    });
}

#[test]
fn tasks_of_tokios_use_clients_and_are_woken_by_what_comes() {
    let (world, cluster, machine) = world(2, 1);
    let billed = world.run(async {
        let client = connected(&machine, &cluster).await;
        let (_consumer, mut orders) = bill(&client).await;
        let producer = client.producer("shop").start().await.unwrap();
        let sending = (0..4).map(|_| {
            let producer = producer.clone();
            tokio::spawn(async move { place_orders(&producer, 5, Duration::from_millis(7)).await })
        });
        for sent in sending.collect::<Vec<_>>() {
            sent.await.unwrap().unwrap();
        }
        // After a while in which nothing happens but what clients do by themselves.
        sleep(HOUR + Duration::from_millis(1234)).await;
        let (again, began) = (producer.clone(), Instant::now());
        tokio::spawn(async move { again.send(Message::new("orders", "one more")).await }).await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_millis(10), "{:?}: nobody has woken the world", began.elapsed());
        let mut billed = 0;
        while billed < 21 {
            timeout(SECOND * 10, orders.recv()).await.expect("in time").unwrap();
            billed += 1;
        }
        client.close().await;
        billed
    });
    assert_eq!(billed, 21);
}

#[test]
fn what_is_planned_from_outside_happens_in_its_time_and_the_worlds_clock_is_exact() {
    let (world, _, machine) = world(8, 1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let began = world.now().mono;
    world.run(async {
        for micros in [400, 200, 1700] {
            let seen = Arc::clone(&seen);
            world.after(Duration::from_micros(micros), move |world| {
                seen.lock().unwrap().push(world.now().mono.since(began).as_micros());
            });
        }
        sleep(Duration::from_millis(5)).await;
        // The world sleeps until something far away, and somebody else wants something before that.
        let sleeper = Arc::clone(&machine);
        let of_tokio = Instant::now();
        tokio::spawn(async move { sleeper.sleep(Duration::from_millis(5)).await }).await.unwrap();
        assert!(of_tokio.elapsed() < Duration::from_millis(8), "{:?}", of_tokio.elapsed());
    });
    assert_eq!(*seen.lock().unwrap(), [200, 400, 1700]);
}

#[test]
fn a_time_out_of_the_applications_own_fires_at_its_time_while_a_broker_says_nothing() {
    let (world, cluster, machine) = world(3, 1);
    world.run(async {
        let client = connected(&machine, &cluster).await;
        let producer = client.producer("shop").send_timeout(60 * SECOND).start().await.unwrap();
        producer.send(Message::new("orders", "before")).await.unwrap();
        let broker = cluster.with(|cluster| {
            let found = cluster.servers().find(|(server, _)| matches!(server, ServerId::Broker(_)));
            found.map(|(server, _)| server).unwrap()
        });
        cluster.lose_power(broker);
        let began = Instant::now();
        let sent = timeout(3 * SECOND, producer.send(Message::new("orders", "meanwhile"))).await;
        assert!(sent.is_err(), "{sent:?}");
        let took = began.elapsed();
        assert!(took >= 3 * SECOND && took < 3 * SECOND + Duration::from_millis(2), "{took:?}");
        cluster.start(broker, Memory::Kept);
        producer.send(Message::new("orders", "after")).await.unwrap();
        client.close().await;
    });
}

#[test]
fn the_same_seed_does_the_same_to_the_microsecond_and_another_one_something_else() {
    let traced = |seed| {
        let (world, cluster, machine) = world(seed, 2);
        let billed = world.run(async {
            let client = connected(&machine, &cluster).await;
            let (_consumer, mut orders) = bill(&client).await;
            let producer = client.producer("shop").start().await.unwrap();
            place_orders(&producer, 20, Duration::from_millis(3)).await.unwrap();
            let mut billed = Vec::new();
            while billed.len() < 20 {
                billed.push(orders.recv().await.unwrap());
            }
            client.close().await;
            billed
        });
        (world.trace_hash(), billed)
    };
    assert_eq!(traced(4), traced(4));
    assert_ne!(traced(4).0, traced(5).0);
}

#[test]
fn who_waits_in_vain_is_told_when_and_after_what() {
    let (world, cluster, machine) = world(6, 1);
    let patience = Patience { time: 90 * SECOND, ..Patience::default() };
    let stuck = world.try_run(patience, async {
        let _client = connected(&machine, &cluster).await;
        std::future::pending::<()>().await
    });
    let stuck = stuck.unwrap_err();
    assert_eq!((stuck.seed, stuck.reason), (6, StuckReason::Time));
    assert!(stuck.now.mono.as_micros() >= 90_000_000, "{stuck}");
}

#[test]
fn a_world_goes_on_by_itself_after_an_application_and_runs_another_one() {
    let (world, cluster, machine) = world(7, 1);
    let client = world.run(async { connected(&machine, &cluster).await });
    world.run_for(HOUR);
    world.run(async {
        let producer = client.producer("shop").start().await.unwrap();
        timeout(SECOND * 10, place_orders(&producer, 2, SECOND)).await.unwrap().unwrap();
        client.close().await;
    });
}
