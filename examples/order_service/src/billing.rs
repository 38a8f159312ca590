//! Bills orders, each customer's in order.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use stgclient::{Client, ConsumeFrom, Error, Message, Producer, PushConsumer, ReceivedMessage, SuspendCurrentQueue};

use crate::{BILLS, Bill, ORDERS, Order, by_customer, json};

/// The group that bills.
pub(crate) const GROUP: &str = "billing";

/// How often billing an order is tried before it becomes a dead letter.
pub const TRIES: u32 = 3;

/// How long a queue rests between two tries.
const RESTS: Duration = Duration::from_millis(100);

/// Why an order cannot be billed.
pub type Reason = Box<dyn StdError + Send + Sync>;

pub(crate) async fn start(
    client: &Client,
    bills: Producer,
    price: impl Fn(&Order) -> Result<u64, Reason> + Send + Sync + 'static,
) -> Result<PushConsumer, Error> {
    let price = Arc::new(price);
    let consumer = client
        .push_consumer(GROUP)
        .subscribe(ORDERS, "placed")
        .consume_from(ConsumeFrom::FirstOffset)
        .max_reconsume_times(TRIES - 1)
        .configure(|config| config.suspend_time = RESTS)
        .orderly(move |message| bill(message, bills.clone(), Arc::clone(&price)));
    consumer.start().await
}

async fn bill<P>(message: ReceivedMessage, bills: Producer, price: Arc<P>) -> Result<(), SuspendCurrentQueue>
where
    P: Fn(&Order) -> Result<u64, Reason>,
{
    let order: Order = serde_json::from_slice(message.body())?;
    let cents = price(&order)?;
    let Order { id, customer, .. } = order;
    let bill =
        Message::new(BILLS, json(&Bill { order: id.clone(), customer: customer.clone(), cents })).tag("sent").key(&id);
    // That no broker takes the bill now is no fault of the order, which waits, and all that follow it.
    while let Err(error) = bills.send_to(bill.clone(), by_customer(&customer)).await {
        if !error.is_retryable() {
            return Err(error.into());
        }
        tracing::warn!(order = id, %error, "its bill could not be sent, and is tried again");
    }
    Ok(())
}
