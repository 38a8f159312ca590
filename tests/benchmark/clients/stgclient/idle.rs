//! Consumes a topic that brings nothing, by push, until it is told to end.

use stgclient::Client;

use crate::Options;
use crate::consume::of_a_new_group;
use crate::contract::say_and_wait;

pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder(&options.name_server).header_codec(options.codec.into()).connect().await?;
    let consumer = of_a_new_group(&client, options).concurrently(|_| async { Ok(()) }).start().await?;
    say_and_wait("ready");
    consumer.close().await;
    client.close().await;
    Ok(())
}
