//! Who may come in.

use crate::scene::{PAGE, Scene, TOKEN, bearer, close_of};

#[tokio::test]
async fn pages_of_other_origins_and_strangers_without_a_token_are_told_why_and_nothing_more() {
    let scene = Scene::new("").await;
    let steady = scene.steady().await;
    let query = format!("?target={}", scene.name_server());
    for origin in [
        "https://evil.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "null",
        "https://app.example.com.evil.org",
    ] {
        let (code, words) = scene.closed(&query, &[("Origin", origin), ("Sec-WebSocket-Protocol", "binary")]).await;
        assert_eq!((code, words.contains("may not connect")), (4403, true), "{origin}: {words}");
        // Not with a token either: it may have been stolen by that page.
        let (code, _) = scene.closed(&query, &[("Origin", origin), ("Sec-WebSocket-Protocol", &bearer(TOKEN))]).await;
        assert_eq!(code, 4403, "{origin}");
    }
    for headers in [&[][..], &[("Sec-WebSocket-Protocol", "binary")], &[("Cookie", TOKEN)], &[("Authorization", TOKEN)]]
    {
        assert_eq!(scene.closed(&query, headers).await, (4401, "a token is needed".to_owned()));
    }
    for wrong in ["x", "the-steady-client-s-toke", "the-steady-client-s-token0", "a.b.c"] {
        let (code, words) = scene.closed(&query, &[("Sec-WebSocket-Protocol", &bearer(wrong))]).await;
        assert_eq!((code, words.as_str()), (4401, "the token is not accepted: nobody knows it"));
    }
    // What is wrong is not made right by a page that may come.
    let (code, _) = scene.closed(&query, &[("Origin", PAGE), ("Sec-WebSocket-Protocol", &bearer("wrong"))]).await;
    assert_eq!(code, 4401);
    for query in [format!("{query}&token={TOKEN}"), format!("{query}&access_token={TOKEN}")] {
        let (code, words) = scene.closed(&query, &[]).await;
        assert_eq!((code, words.contains("bearer.TOKEN")), (4401, false));
        let (code, words) = scene.closed(&query, &[("Sec-WebSocket-Protocol", &bearer(TOKEN))]).await;
        assert_eq!((code, words.contains("does not belong into an address")), (4400, true), "{words}");
    }
    assert!(scene.websocket(&query, &[("Origin", PAGE), ("Sec-WebSocket-Protocol", "binary")]).await.is_ok());
    steady.went_on().await;
}

#[tokio::test]
async fn who_says_something_twice_is_not_let_in_by_either() {
    let scene = Scene::new("").await;
    for (lines, words) in [
        (format!("Origin: {PAGE}\r\nOrigin: {PAGE}\r\n"), "there is more than one origin"),
        (format!("Origin: {PAGE}\r\nOrigin: https://evil.example.com\r\n"), "there is more than one origin"),
        (format!("Origin: https://evil.example.com\r\nOrigin: {PAGE}\r\n"), "there is more than one origin"),
        (format!("Sec-WebSocket-Protocol: bearer.{TOKEN}\r\n"), "there is more than one token"),
        ("Sec-WebSocket-Protocol: bearer.another\r\n".to_owned(), "there is more than one token"),
    ] {
        let closed = close_of(scene.raw(lines.as_bytes()).await.unwrap()).await;
        assert_eq!(closed, (4400, words.to_owned()), "{lines}");
    }
}

#[tokio::test]
async fn a_request_for_a_websocket_that_announces_a_body_is_refused() {
    let scene = Scene::new("").await;
    for lines in
        ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 0\r\n"]
    {
        let said = scene.raw(lines.as_bytes()).await.err();
        assert!(said.as_ref().is_some_and(|said| said.starts_with("HTTP/1.1 400")), "{lines}: {said:?}");
    }
    assert!(scene.raw(b"Content-Length: 0\r\n").await.is_ok());
}
