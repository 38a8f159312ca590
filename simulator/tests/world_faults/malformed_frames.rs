//! Bytes that are no frames: the connection they come on is closed, its calls say why, and nothing else notices.

use bytes::Bytes;
use stgclient::simulator::Clients as _;
use stgclient_core::consumer::PullStatus;
use stgclient_core::error::ErrorKind;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::RequestCode;
use stgclient_servers::{Force, Forced};

use super::stage::{
    BROKER_A, FIRST_PAUSE, NAME_SERVER, OTHER_NAME_SERVER, ROUND_TRIP, SECOND, Stage, begun, consumer, message,
    producer, queue, reason, single_try_producer, waiting,
};
use super::wire;

/// Bytes that no reader of frames can go on after, and what an error says of them.
fn no_frames() -> Vec<(Bytes, &'static str)> {
    let mut wrong_text = wire::header(1, 0, "{}").replace("JAVA", "J?VA").into_bytes();
    let at = wrong_text.iter().position(|byte| *byte == b'?').expect("the mark");
    wrong_text[at] = 0xFF;
    let cut_binary = [0, 0, 12, 1, 0xED, 0, 0, 0, 1, 0, 0, 0, 1, 0x7F, 0xFF, 0xFF, 0xFF];
    vec![
        (Bytes::from_static(&[1, 0, 0, 1]), "a frame of 16777217 bytes, more than the limit of 16777216"),
        (Bytes::from_static(&[0xFF; 64]), "more than the limit"),
        (Bytes::from_static(&[0, 0, 0, 2, 0, 0]), "a frame of 2 bytes, too short for a header length"),
        (Bytes::from_static(&[0; 8]), "too short"),
        (
            Bytes::from_static(&[0, 0, 0, 8, 0, 0, 0, 100, 0, 0, 0, 0]),
            "a header of 100 bytes in a frame with room for 4",
        ),
        (Bytes::from_static(&[0, 0, 0, 8, 0, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]), "a header of 16777215 bytes"),
        (wire::frame(7, b"{}", &[]), "an unknown header type 7"),
        (wire::frame(0, b"hello", &[]), "a malformed header"),
        (wire::frame(0, b"", &[]), "a malformed header"),
        (wire::frame(0, br#"{"code":0,"opaque":"#, &[]), "a malformed header"),
        (wire::frame(0, &[b'['; 100_000], &[]), "a malformed header"),
        (wire::frame(0, &br#"{"a":"#.repeat(20_000), &[]), "a malformed header"),
        (wire::frame(0, &wrong_text, &[]), "a malformed header"),
        (wire::frame(1, &cut_binary, &[]), "a malformed header"),
        (wire::frame(1, &[0; 3], &[]), "a malformed header"),
    ]
}

#[test]
fn bytes_that_are_no_frame_close_that_one_connection_and_say_why() {
    for (bytes, words) in no_frames() {
        let stage = Stage::new(1, 2).with_topic("t", 1);
        stage.world.block_on(async {
            let client = stage.client().await;
            let producer = single_try_producer(&client).await;
            let reader = consumer(&client).await;
            let (to_a, to_b) = (queue("broker-a", 0), queue("broker-b", 0));
            producer.send_to(message("t"), to_a.clone()).await.expect("all is well");
            producer.send_to(message("t"), to_b.clone()).await.expect("all is well");
            // Under way at the other broker, and at the same one on behalf of another client.
            let neighbour = stage.client().await;
            let neighbour = consumer(&neighbour).await;
            let held = begun(reader.pull_with(&to_b, "*", 1, waiting(20 * SECOND))).await;
            let held_for_other = begun(neighbour.pull_with(&to_a, "*", 1, waiting(20 * SECOND))).await;
            stage.sleep(SECOND).await;
            let connects = client.counters().connects;

            stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Bytes(bytes)).times(1)));
            let (failed, took) = stage.timed(producer.send_to(message("t"), to_a.clone())).await;
            assert_eq!(reason(&failed), (ErrorKind::ConnectionClosed, Some(BROKER_A)));
            let text = failed.unwrap_err().to_string();
            assert!(text.contains(words), "{text}");
            assert_eq!(took, ROUND_TRIP, "{words}");

            let (sent, took) = stage.timed(producer.send_to(message("t"), to_a.clone())).await;
            sent.expect("the connection is made again");
            assert!(took <= FIRST_PAUSE + 2 * ROUND_TRIP, "{took:?}");
            producer.send_to(message("t"), to_b.clone()).await.expect("the other broker was not concerned");
            assert_eq!(held.await.expect("nor was this pull").status, PullStatus::Found);
            assert_eq!(held_for_other.await.expect("nor the other client's").status, PullStatus::Found);
            assert_eq!(client.counters().connects, connects + 1, "one connection was made anew");
        });
    }
}

#[test]
fn a_send_that_met_no_frame_is_tried_again_with_the_same_id() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let no_frame = Forced::Bytes(wire::frame(0, b"hello", &[]));
        stage.on_broker_a(|broker| broker.force(Force::sends(no_frame).times(2)));
        let receipt = producer.send(message("t")).await.expect("the third try");
        let consumer = consumer(&client).await;
        let batch = consumer.pull(&queue("broker-a", 0), "*", 0, 32).await.unwrap();
        let ids: Vec<String> = batch.messages.iter().map(|message| message.message_id()).collect();
        assert_eq!(ids, vec![receipt.message_id.to_string(); 3], "each try was carried out");
    });
}

#[test]
fn a_frame_that_never_ends_costs_its_call_and_its_connection_no_more_than_their_time() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        // It announces ten bytes more than come.
        let mut bytes = wire::frame(0, wire::header(1, 0, "{}").as_bytes(), &[0; 10]);
        bytes.truncate(bytes.len() - 10);
        let connects = client.counters().connects;
        stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Bytes(bytes)).times(1)));
        let (sent, took) = stage.timed(producer.send(message("t"))).await;
        sent.expect("on a new connection");
        // The share of its first try, whose retry ends the frame that is none, and the pause of the connection.
        assert!((SECOND..2 * SECOND).contains(&took), "{took:?}");
        assert_eq!(client.counters().connects, connects + 1);
    });
}

#[test]
fn an_answer_longer_than_the_clients_own_limit_is_not_read() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.machine.client(NAME_SERVER).max_frame_length(10_000).connect().await.unwrap();
        let producer = client.producer("producers").compression(None).start().await.unwrap();
        for length in [5_000, 20_000] {
            producer.send(stgclient_core::producer::Message::new("t", vec![0; length])).await.expect("sending is free");
        }
        let consumer = consumer(&client).await;
        let queue = queue("broker-a", 0);
        assert_eq!(consumer.pull(&queue, "*", 0, 1).await.unwrap().messages.len(), 1);
        let (failed, took) = stage.timed(consumer.pull(&queue, "*", 1, 1)).await;
        assert_eq!(reason(&failed), (ErrorKind::ConnectionClosed, Some(BROKER_A)));
        assert!(failed.unwrap_err().to_string().contains("more than the limit of 10000"));
        // Three tries with two pauses.
        assert!(took < SECOND, "{took:?}");
        assert_eq!(consumer.pull(&queue, "*", 0, 1).await.unwrap().messages.len(), 1);
    });
}

#[test]
fn a_name_server_that_says_no_frame_is_passed_over_for_the_next() {
    let stage = Stage::new(2, 1).with_topic("t", 1);
    for index in 0..2 {
        let no_frame =
            Force::requests([RequestCode::GET_ROUTEINFO_BY_TOPIC], Forced::Bytes(Bytes::from_static(&[0xFF; 9])));
        stage.cluster.name_server(index, |name_server| name_server.force(no_frame.times(1)));
    }
    stage.world.block_on(async {
        let name_servers = format!("{NAME_SERVER};{OTHER_NAME_SERVER}");
        let (failed, _) = stage.timed(stage.machine.client(&name_servers).connect()).await;
        let error = failed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NameServersUnavailable);
        assert_eq!(error.attempts().len(), 2);
        assert!(error.attempts().iter().all(|attempt| attempt.outcome.contains("more than the limit")), "{error}");

        let no_frame =
            Force::requests([RequestCode::GET_ROUTEINFO_BY_TOPIC], Forced::Bytes(Bytes::from_static(&[0xFF; 9])));
        stage.cluster.name_server(0, |name_server| name_server.force(no_frame));
        for _ in 0..4 {
            // Whichever of them chance asks first.
            let (client, took) = stage.timed(stage.machine.client(&name_servers).connect()).await;
            client.expect("the other one answers").close().await;
            assert!(took < Duration::from_millis(10), "{took:?}");
        }
    });
}
