//! A member of a consumer group, as `Crossing consume` of `tests/java` is one of Java's: it prints a line of JSON when it
//! has started and one for each message that it is given, and ends when its standard input does.
//!
//!     member NAME_SERVER TOPIC GROUP [--orderly]

use std::error::Error;
use std::fmt::Write;

use serde_json::json;
use stgclient::{Client, ConsumeFrom, ReceivedMessage};
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name_server, topic, group, options @ ..] = &arguments[..] else {
        return Err("member NAME_SERVER TOPIC GROUP [--orderly]".into());
    };
    let client = Client::builder(name_server).connect().await?;
    let consumer = client.push_consumer(group).subscribe(topic, "*").consume_from(ConsumeFrom::FirstOffset);
    let consumer = if options.iter().any(|option| option == "--orderly") {
        consumer.orderly(|message| {
            print(&message);
            async { Ok(()) }
        })
    } else {
        consumer.concurrently(|message| {
            print(&message);
            async { Ok(()) }
        })
    };
    let consumer = consumer.start().await?;
    println!("{}", json!({ "clientId": client.client_id() }));
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    consumer.close().await;
    client.close().await;
    Ok(())
}

fn print(message: &ReceivedMessage) {
    let hex = message.body().iter().fold(String::new(), |mut hex, byte| {
        _ = write!(hex, "{byte:02X}");
        hex
    });
    println!(
        "{}",
        json!({ "queueId": message.queue().queue_id, "queueOffset": message.queue_offset(), "bodyHex": hex })
    );
}
