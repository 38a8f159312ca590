//! What becomes of operations when TLS fails, which no other try at the same server overcomes.

use super::scene::ms;
use super::servers::Reach;
use super::*;

fn is_about_the_certificate(error: &Error) -> bool {
    (error.kind(), error.is_retryable()) == (ErrorKind::TlsFailed, false)
        && error.to_string().contains("no secure connection: the certificate has expired")
}

#[test]
fn a_start_fails_at_once_and_says_why_and_where() {
    let mut scene = scene_of(&[]);
    scene.server("ns:1").reach = Reach::Distrusts;
    let operation = scene.client.connect(scene.now);
    let error = error(scene.wait(operation));
    assert!(is_about_the_certificate(&error), "{error}");
    assert_eq!(error.address().map(|address| address.as_str()), Some("ns:1"));
    assert_eq!(millis(&scene), 0);
}

#[test]
fn a_start_goes_on_to_another_name_server_and_blames_tls_only_when_nothing_else_failed() {
    for (second, expected) in [
        (Reach::Accepts, None),
        (Reach::Distrusts, Some(ErrorKind::TlsFailed)),
        (Reach::Refuses, Some(ErrorKind::NameServersUnavailable)),
    ] {
        let mut scene = scene_with("ns:1;ns:2");
        scene.server("ns:1").reach = Reach::Distrusts;
        scene.server("ns:2").reach = second;
        let operation = scene.client.connect(scene.now);
        let outcome = scene.wait(operation);
        assert_eq!(outcome.as_ref().err().map(Error::kind), expected, "{outcome:?}");
        let attempts = outcome.err().map_or(2, |error| error.attempts().len());
        assert_eq!(attempts, 2);
    }
}

#[test]
fn a_send_to_the_only_broker_fails_at_once() {
    let mut scene = scene_of(&["a"]);
    scene.server("a:1").reach = Reach::Distrusts;
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let error = send_and_wait(&mut scene, producer).unwrap_err();
    assert!(is_about_the_certificate(&error), "{error}");
    assert_eq!(error.address().map(|address| address.as_str()), Some("a:1"));
    assert_eq!((millis(&scene), scene.opened.len()), (0, 2));
    // While it pauses too, the reason is the same.
    scene.run_for(ms(1));
    let error = send_and_wait(&mut scene, producer).unwrap_err();
    assert!(is_about_the_certificate(&error), "{error}");
}

#[test]
fn a_send_goes_on_to_a_broker_that_is_trusted() {
    let mut scene = scene_of(&["a", "b"]);
    scene.server("a:1").reach = Reach::Distrusts;
    let producer = start_producer(&mut scene, ProducerConfig::default());
    for _ in 0..4 {
        let receipt = send_and_wait(&mut scene, producer).unwrap();
        assert_eq!(&*receipt.queue.broker_name, "b");
    }
}

#[test]
fn a_certificate_that_is_replaced_is_all_that_was_missing() {
    let mut scene = scene_of(&["a"]);
    scene.server("a:1").reach = Reach::Distrusts;
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap_err();
    scene.server("a:1").reach = Reach::Accepts;
    scene.run_for(ms(1000));
    send_and_wait(&mut scene, producer).unwrap();
    // What fails now is no matter of TLS.
    scene.server("a:1").reach = Reach::Refuses;
    scene.cut("a:1", "restart");
    scene.run_for(ms(1000));
    let error = send_and_wait(&mut scene, producer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectFailed, "{error}");
}
