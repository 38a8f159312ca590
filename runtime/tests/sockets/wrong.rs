//! Servers that do wrong: what they say to whatever they are asked.

use bytes::{Bytes, BytesMut};
use stgclient::{HeaderCodec, ResponseCode};
use stgclient_core::wire::command::{self, Command, Head};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::NoFields;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server does once it has read something.
#[derive(Clone, Debug)]
pub(crate) enum Wrong {
    /// It keeps quiet.
    Silent,
    /// It closes the connection.
    Closes,
    /// It says this, and keeps the connection.
    Says(Vec<u8>),
    /// It says this, and closes the connection.
    SaysAndCloses(Vec<u8>),
}

/// Everything that may be wrong, and a word or two of what has to be said of it.
pub(crate) fn every() -> Vec<(Wrong, &'static str)> {
    let frame = |length: u32, rest: &[u8]| [&length.to_be_bytes()[..], rest].concat();
    vec![
        (Wrong::Silent, "no answer in time"),
        (Wrong::Closes, "closed by the server"),
        (Wrong::Says(b"GET / HTTP/1.1 is no frame".to_vec()), "more than the limit"),
        (Wrong::Says(frame(u32::MAX, b"more")), "more than the limit"),
        (Wrong::Says(frame(1 << 31, b"")), "more than the limit"),
        (Wrong::Says(frame(3, b"abc")), "too short"),
        (Wrong::Says(frame(8, &[0, 0, 1, 0, 1, 2, 3, 4])), "a header of 256 bytes"),
        (Wrong::Says(frame(6, &[9, 0, 0, 2, b'{', b'}'])), "unknown header type"),
        (Wrong::Says(frame(8, &[0, 0, 0, 4, b'n', b'o', b'p', b'e'])), "malformed header"),
        (Wrong::Says(frame(6, &[0, 0, 0, 2, 0xff, 0xfe])), "malformed header"),
        (Wrong::SaysAndCloses(frame(100, b"half a frame")), "middle of a frame"),
    ]
}

impl Wrong {
    /// Starts such a server, and gives its address.
    pub(crate) async fn serve(self) -> String {
        serve(move |stream| {
            let wrong = self.clone();
            async move { wrong.treat(stream).await.unwrap_or_default() }
        })
        .await
    }

    async fn treat(self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut request = [0; 4096];
        if stream.read(&mut request).await? == 0 {
            return Ok(());
        }
        match self {
            Self::Silent => while stream.read(&mut request).await? > 0 {},
            Self::Closes => {}
            Self::Says(words) => {
                stream.write_all(&words).await?;
                while stream.read(&mut request).await? > 0 {}
            }
            Self::SaysAndCloses(words) => stream.write_all(&words).await?,
        }
        Ok(())
    }
}

/// Starts a server that answers each command as `answer` says, and gives its address.
pub(crate) async fn answering(answer: impl Fn(&Command) -> Option<Bytes> + Clone + Send + Sync + 'static) -> String {
    serve(move |mut stream| {
        let answer = answer.clone();
        async move {
            let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
            while stream.read_buf(reader.read_buffer()).await.is_ok_and(|count| count > 0) {
                while let Ok(Some(command)) = reader.next_command() {
                    if let Some(bytes) = answer(&command)
                        && stream.write_all(&bytes).await.is_err()
                    {
                        return;
                    }
                }
            }
        }
    })
    .await
}

/// An answer without fields to the request of this number.
pub(crate) fn answer(code: ResponseCode, opaque: i32) -> Bytes {
    let head = Head::response(Dialect::Apache, code, opaque, Some("said by a test"));
    let mut answer = BytesMut::new();
    command::encode(&mut answer, HeaderCodec::Json, Dialect::Apache, &head, &NoFields, &[]);
    answer.freeze()
}

async fn serve<F: Future<Output = ()> + Send + 'static>(treat: impl Fn(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(treat(stream));
        }
    });
    address
}
