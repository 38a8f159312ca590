//! A service to copy from: it takes orders, bills each customer's in order, and audits the bills.
//!
//! An order goes to the topic `orders`, into the queue of its customer. Billing consumes each queue in order and sends a bill to
//! `bills`. An order that cannot be billed becomes a dead letter after [`TRIES`] tries, and can be sent again once the reason is mended.
//! The [`Audit`] pulls the bills and keeps its place in a file.
//!
//! Each step is done at least once: after a fault an order may be billed again, under the same id, which is what tells the bills apart.

mod audit;
mod billing;
mod dead_letters;
mod health;

use serde::{Deserialize, Serialize};
use stgclient::{Client, Error, Message, Producer, PushConsumer, QueueChoice, Receipt, SendStatus, Unfinished};

pub use audit::Audit;
pub use billing::{Reason, TRIES};
pub use health::Health;

const ORDERS: &str = "orders";
const BILLS: &str = "bills";

/// What a customer wants.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Tells orders apart, and their bills.
    pub id: String,
    /// Who orders.
    pub customer: String,
    /// What.
    pub goods: String,
}

/// What a customer has to pay.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// The order's id.
    pub order: String,
    /// Who pays.
    pub customer: String,
    /// How much.
    pub cents: u64,
}

/// Takes orders and bills them.
#[derive(Debug)]
pub struct OrderService {
    client: Client,
    shop: Producer,
    bills: Producer,
    billing: PushConsumer,
}

impl OrderService {
    /// Starts the service: when this returns it takes orders and bills those that wait already. `price` says what an order costs, or
    /// why it cannot be billed.
    ///
    /// # Errors
    /// The topics cannot be created, or the client is closed.
    pub async fn start(
        client: &Client,
        price: impl Fn(&Order) -> Result<u64, Reason> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        tokio::spawn(health::log(client.events()));
        for topic in [ORDERS, BILLS] {
            client.admin().create_topic(topic).queues(8).await?;
        }
        let shop = client.producer("shop").start().await?;
        let bills = client.producer("bills").start().await?;
        let billing = billing::start(client, bills.clone(), price).await?;
        billing.ready().await?;
        Ok(Self { client: client.clone(), shop, bills, billing })
    }

    /// Places an order: once this returns a broker has it, and it will be billed. A customer's orders are billed in the order in which
    /// they were placed, one after the other.
    ///
    /// # Errors
    /// The order may not be there; or it may, after a time-out: placed again with the same id, it is the same order.
    pub async fn place(&self, order: &Order) -> Result<Receipt, Error> {
        let message =
            Message::new(ORDERS, json(order)).tag("placed").key(&order.id).property("customer", &order.customer);
        let receipt = self.shop.send_to(message, by_customer(&order.customer)).await?;
        match receipt.status {
            SendStatus::SendOk => tracing::debug!(order.id, queue = %receipt.queue, "placed"),
            // FLUSH_DISK_TIMEOUT, FLUSH_SLAVE_TIMEOUT, SLAVE_NOT_AVAILABLE: the broker has it all the same. Sent again, it would be there twice.
            status => tracing::warn!(order.id, %status, "placed, but a crash of the broker may lose it"),
        }
        Ok(receipt)
    }

    /// Sends the orders once more that could not be billed, and says how many there were.
    ///
    /// # Errors
    /// A broker refuses or does not answer. What was sent by then may be sent again by the next call.
    pub async fn send_dead_letters_again(&self) -> Result<usize, Error> {
        dead_letters::send_again(&self.client, &self.shop).await
    }

    /// How the service fares.
    pub fn health(&self) -> Health {
        Health::of(&self.client, &self.billing)
    }

    /// Stops: no more orders are taken, those being placed end, bills under way are sent. Orders that are not billed yet stay at
    /// their brokers until the service is started again. Returns what a handler could not finish in time, which will be billed then, too.
    pub async fn stop(&self) -> Vec<Unfinished> {
        self.shop.close().await;
        let unfinished = self.billing.close().await;
        self.bills.close().await;
        unfinished
    }
}

/// What belongs to a customer goes into one queue, so that it stays in order.
fn by_customer(customer: &str) -> QueueChoice {
    QueueChoice::Hash(customer.to_owned())
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers have a JSON form")
}
