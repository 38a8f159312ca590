//! That the null broker answers what our client sends, and counts all of it.

use stgclient::{Client, HeaderCodec, Message, SendStatus};

use crate::server::Server;

#[tokio::test]
async fn every_send_is_answered_and_counted_in_both_codecs() {
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        let server = Server::start(0).expect("a port is free");
        let client =
            Client::builder(&server.address.to_string()).header_codec(codec).connect().await.expect("it answers");
        let producer = client.producer("group").start().await.expect("the client is open");
        let sends: Vec<_> = (0..300).map(|_| producer.send(Message::new("q100-orders", vec![7; 1000]))).collect();
        for send in sends {
            assert_eq!(send.await.expect("it is acknowledged").status, SendStatus::SendOk);
        }
        for _ in 0..200 {
            producer.send_oneway(Message::new("orders", "hello")).await.expect("it is written");
        }
        // What was answered after the last oneway message was read after it too.
        let queue = producer.send(Message::new("orders", "last")).await.expect("it is acknowledged").queue;
        assert_eq!(queue.broker_name.as_ref(), "null-broker");
        client.close().await;
        let counts = server.counts();
        assert_eq!((counts.answered, counts.oneways), (301, 200), "{counts:?}");
    }
}
