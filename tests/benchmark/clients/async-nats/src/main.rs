use futures::StreamExt;
#[tokio::main]
async fn main() -> Result<(), async_nats::Error> {
    let client = async_nats::connect("127.0.0.1:4222").await?;
    let mut subscriber = client.subscribe("orders").await?;
    client.publish("orders", "hello".into()).await?;
    client.flush().await?;
    if let Some(message) = subscriber.next().await {
        println!("{:?}", message.payload);
    }
    Ok(())
}
