//! Tags, keys and properties come back as they were sent, whatever characters they have.

use super::bench;

/// Texts that somebody's escaping gets wrong: JSON's own signs, control characters, all planes of Unicode.
const TEXTS: [&str; 12] = [
    "plain",
    "with space",
    "\"quoted\" \\ back\\slash / {\"a\":[1,2]}",
    "line\nfeed, return\r, tab\t",
    "\u{3}\u{4}\u{7}\u{8}\u{b}\u{c}\u{1f}\u{7f}",
    "订单已支付",
    "größer, naïve, Ω, עברית",
    "🚀👩‍👩‍👧‍👦🏴",
    "\u{fffd}\u{feff}\u{2028}\u{2029}\u{85}",
    "\u{10ffff}\u{e000}",
    "null",
    "a=b&c;d,e|f",
];

#[tokio::test]
async fn values_come_back_as_they_were_sent() {
    let bench = bench(1).await;
    let mut message = bench.message("body");
    for (number, text) in TEXTS.iter().enumerate() {
        message = message.property(format!("name-{number}"), text);
    }
    let message = bench.send_and_pull(message).await;
    for (number, text) in TEXTS.iter().enumerate() {
        assert_eq!(message.property(&format!("name-{number}")), Some(*text));
    }
}

#[tokio::test]
async fn names_come_back_as_they_were_sent() {
    let bench = bench(1).await;
    let message = TEXTS.iter().fold(bench.message("body"), |message, text| message.property(text, "value"));
    let message = bench.send_and_pull(message).await;
    for text in TEXTS {
        assert_eq!(message.property(text), Some("value"), "{text:?}");
    }
}

#[tokio::test]
async fn tags_and_keys_come_back_as_they_were_sent() {
    let bench = bench(1).await;
    for text in TEXTS {
        let key = text.replace(' ', "_");
        let message = bench.send_and_pull(bench.message("body").tag(text).key(&key).key("second")).await;
        assert_eq!(message.tag(), Some(text));
        assert_eq!(message.keys().collect::<Vec<_>>(), [key.as_str(), "second"]);
    }
}

#[tokio::test]
async fn a_message_without_tag_keys_and_properties_has_none() {
    let bench = bench(1).await;
    let message = bench.send_and_pull(bench.message("body")).await;
    assert_eq!((message.tag(), message.keys().count()), (None, 0));
    let own = ["UNIQ_KEY", "WAIT", "CLUSTER", "MSG_REGION", "TRACE_ON"];
    for (name, value) in message.properties().iter() {
        assert!(own.contains(&name), "{name} = {value:?}");
    }
}

#[tokio::test]
async fn as_many_properties_as_we_take_the_broker_takes_too() {
    let bench = bench(1).await;
    // The longest value that is not refused here, found by asking: the protocol's own properties need room too.
    let (mut fits, mut too_long) = (1, 40_000);
    while too_long - fits > 1 {
        let middle = usize::midpoint(fits, too_long);
        let message = bench.message("body").property("long", "v".repeat(middle));
        match bench.producer.send(message).await {
            Ok(_) => fits = middle,
            Err(error) if error.address().is_none() => too_long = middle,
            Err(error) => panic!("{middle} bytes pass our check and not the broker's: {error}"),
        }
    }
    assert!(fits > 32_000, "only {fits} bytes are taken");
    let message = bench.message("body").property("long", "v".repeat(fits));
    let message = bench.send_and_pull(message).await;
    assert_eq!(message.property("long").map(str::len), Some(fits));
}

#[tokio::test]
async fn a_property_set_twice_has_its_last_value() {
    let bench = bench(1).await;
    let message = bench.message("body").property("color", "red").property("color", "blue").tag("a").tag("b");
    let message = bench.send_and_pull(message).await;
    assert_eq!((message.property("color"), message.tag()), (Some("blue"), Some("b")));
}
