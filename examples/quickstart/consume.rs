//! The same messages again, by push: shared by two members of a group, and by another group in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stgclient::{Client, ConsumeFrom, Error, ErrorKind, PushConsumer, PushConsumerBuilder, ReceivedMessage};

use crate::EXPRESSION;

/// How long a member may take for what a healthy cluster does in a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a group has consumed.
#[derive(Clone, Default)]
struct Consumed(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Ids of messages, and for oneway ones, which have none that we know, their keys.
    came: BTreeSet<String>,
    /// How many each member had.
    by_member: BTreeMap<&'static str, u64>,
    /// By queue, the offset of the last message; whether one ever came before an earlier one.
    last: BTreeMap<(String, u32), u64>,
    is_in_order: bool,
}

impl Consumed {
    fn new() -> Self {
        let consumed = Self::default();
        consumed.0.lock().expect("nobody panics").is_in_order = true;
        consumed
    }

    fn note(&self, member: &'static str, message: &ReceivedMessage) {
        let mut state = self.0.lock().expect("nobody panics");
        state.came.insert(message.message_id());
        state.came.extend(message.keys().map(ToOwned::to_owned));
        *state.by_member.entry(member).or_default() += 1;
        let queue = (message.queue().broker_name.to_string(), message.queue().queue_id);
        let before = state.last.insert(queue, message.queue_offset());
        state.is_in_order &= before.is_none_or(|before| before < message.queue_offset());
    }

    fn has_all(&self, expected: &BTreeSet<String>) -> bool {
        expected.is_subset(&self.0.lock().expect("nobody panics").came)
    }
}

/// Consumes `expected` by push, in both ways. `other` is a second client, as another process would have it.
pub(crate) async fn by_push(
    client: &Client,
    other: &Client,
    (topic, queues): (&str, usize),
    expected: &BTreeSet<String>,
) -> Result<(), Error> {
    shared(client, other, (topic, queues), expected).await?;
    in_order(client, topic, expected).await
}

/// Two members share the queues; when one leaves the other takes over.
async fn shared(
    client: &Client,
    other: &Client,
    (topic, queues): (&str, usize),
    expected: &BTreeSet<String>,
) -> Result<(), Error> {
    let consumed = Consumed::new();
    let group = format!("quickstart-push-{}", std::process::id());
    let join = |client: &Client, name| {
        let consumed = consumed.clone();
        let consumer = member(client, &group, topic).concurrently(move |message| {
            consumed.note(name, &message);
            async { Ok(()) }
        });
        consumer.start()
    };
    let started = Instant::now();
    let first = join(client, "first").await?;
    let second = join(other, "second").await?;
    until("every message is consumed by push", || consumed.has_all(expected)).await?;
    println!("  push      {} messages in {:.0?}, each at once as it comes", expected.len(), started.elapsed());
    let shares = || (owned(&first, topic), owned(&second, topic));
    until("the members share the queues", || shares().0 + shares().1 == queues && shares().0 > 0 && shares().1 > 0)
        .await?;
    println!("  shared    {} queues and {} queues", shares().0, shares().1);
    let started = Instant::now();
    second.close().await;
    until("the other member takes over", || owned(&first, topic) == queues).await?;
    println!(
        "  taken     {queues} queues by the one that stayed, {:.0?} after the other began to leave",
        started.elapsed()
    );
    first.close().await;
    Ok(())
}

/// One queue after the other in the order of its offsets.
async fn in_order(client: &Client, topic: &str, expected: &BTreeSet<String>) -> Result<(), Error> {
    let consumed = Consumed::new();
    let group = format!("quickstart-orderly-{}", std::process::id());
    let noted = consumed.clone();
    let started = Instant::now();
    let consumer = member(client, &group, topic).orderly(move |message| {
        noted.note("only", &message);
        async { Ok(()) }
    });
    let consumer = consumer.start().await?;
    until("every message is consumed in order", || consumed.has_all(expected)).await?;
    println!("  orderly   {} messages in {:.0?}, each queue in order\n", expected.len(), started.elapsed());
    consumer.close().await;
    if consumed.0.lock().expect("nobody panics").is_in_order {
        return Ok(());
    }
    Err(Error::new(ErrorKind::MalformedAnswer, "messages of a queue came out of order"))
}

fn member(client: &Client, group: &str, topic: &str) -> PushConsumerBuilder {
    client.push_consumer(group).subscribe(topic, EXPRESSION).consume_from(ConsumeFrom::FirstOffset)
}

fn owned(consumer: &PushConsumer, topic: &str) -> usize {
    let queues = consumer.status().queues.into_iter();
    queues.filter(|queue| *queue.queue.topic == *topic && queue.is_consuming).count()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > deadline {
            return Err(Error::new(ErrorKind::Timeout, format!("not within {PATIENCE:?}: {what}")));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
