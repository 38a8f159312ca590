//! The client that is not to notice: it sends at a rate, consumes all of it, and says how long that took.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stgclient::{Client, ConsumeFrom, Message, PushConsumer};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::scene::{PATIENCE, Scene, eventually};
use crate::weather::{Phase, Weather};

/// A message each so often.
const EVERY: Duration = Duration::from_millis(10);

/// A steady client.
pub(crate) struct Steady {
    client: Client,
    consumer: PushConsumer,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// A message, and how long it took from when it was to be sent: who is late in sending is late.
struct Sent {
    due: Instant,
    acknowledged: Option<Duration>,
    consumed: Option<Duration>,
}

/// What 99 of 100 messages took at the most.
#[derive(Clone, Copy)]
pub(crate) struct P99 {
    /// In all windows together.
    pub(crate) overall: Duration,
    /// In the middle one of the windows.
    pub(crate) usual: Duration,
}

impl fmt::Display for P99 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, in the middle one of the windows {:?}", self.overall, self.usual)
    }
}

impl Steady {
    pub(crate) async fn begin(scene: &Scene) -> Self {
        let client = scene.client().await;
        client.admin().create_topic("steady").queues(1).await.unwrap();
        let sent = Arc::new(Mutex::new(Vec::<Sent>::new()));
        let noting = Arc::clone(&sent);
        let consumer = client
            .push_consumer("steady")
            .subscribe("steady", "*")
            .consume_from(ConsumeFrom::FirstOffset)
            .concurrently(move |message| {
                let number: usize = std::str::from_utf8(message.body()).unwrap().parse().unwrap();
                let sent = &mut noting.lock().unwrap()[number];
                sent.consumed.get_or_insert(sent.due.elapsed());
                async { Ok(()) }
            })
            .start()
            .await
            .unwrap();
        Self { client, consumer, sent }
    }

    /// Sends until it is over. Every message has to be acknowledged.
    pub(crate) async fn send(&self, phase: watch::Receiver<Phase>) {
        let producer = self.client.producer("steady").send_timeout(PATIENCE).start().await.unwrap();
        let mut sending = JoinSet::new();
        let mut due = Instant::now();
        for number in 0.. {
            if *phase.borrow() == Phase::Over {
                break;
            }
            due += EVERY;
            tokio::time::sleep_until(due.into()).await;
            self.sent.lock().unwrap().push(Sent { due, acknowledged: None, consumed: None });
            let (producer, book) = (producer.clone(), Arc::clone(&self.sent));
            sending.spawn(async move {
                producer.send(Message::new("steady", number.to_string())).await.expect("whatever is done beside it");
                book.lock().unwrap()[number].acknowledged = Some(due.elapsed());
            });
            while let Some(sent) = sending.try_join_next() {
                sent.unwrap();
            }
        }
        while let Some(sent) = sending.join_next().await {
            sent.unwrap();
        }
    }

    /// Asserts that nothing was lost. Gives how many messages there were.
    pub(crate) async fn lost_nothing(&self) -> usize {
        eventually("all is consumed", || self.sent.lock().unwrap().iter().all(|sent| sent.consumed.is_some())).await;
        let sent = self.sent.lock().unwrap();
        assert!(sent.iter().all(|sent| sent.acknowledged.is_some()));
        sent.len()
    }

    /// How long it took until messages of a phase were acknowledged, and until they were consumed.
    pub(crate) fn p99(&self, weather: &Weather, phase: Phase) -> [P99; 2] {
        let sent = self.sent.lock().unwrap();
        let took: [fn(&Sent) -> Option<Duration>; 2] = [|sent| sent.acknowledged, |sent| sent.consumed];
        took.map(|took| {
            let of =
                |window: Range<Instant>| sent.iter().filter(move |sent| window.contains(&sent.due)).filter_map(took);
            let overall = p99(weather.windows(phase).flat_map(of).collect());
            let mut windows: Vec<Duration> = weather.windows(phase).map(|window| p99(of(window).collect())).collect();
            windows.sort_unstable();
            P99 { overall, usual: windows[windows.len() / 2] }
        })
    }

    pub(crate) async fn end(self) {
        self.consumer.close().await;
        self.client.close().await;
    }
}

fn p99(mut all: Vec<Duration>) -> Duration {
    assert!(all.len() > 500, "{} messages are too few", all.len());
    all.sort_unstable();
    all[all.len() * 99 / 100]
}
