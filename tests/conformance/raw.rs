//! One request on a connection of its own: what our client has no call for.

use bytes::BytesMut;
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Fields by name.
struct Named<'a>(&'a [(&'a str, &'a str)]);

impl WriteHeader for Named<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.iter().for_each(|(name, value)| writer.text(name, value));
    }
}

/// Asks the server at `address` and gives its answer.
pub async fn ask(address: &str, code: RequestCode, fields: &[(&str, &str)]) -> Command {
    ask_with(address, code, fields, &[]).await
}

/// The same with a body.
pub async fn ask_with(address: &str, code: RequestCode, fields: &[(&str, &str)], body: &[u8]) -> Command {
    let mut stream = TcpStream::connect(address).await.expect("the server takes connections");
    let mut request = BytesMut::new();
    let head = Head::request(Dialect::Apache, code, 1);
    command::encode(&mut request, HeaderCodec::Json, Dialect::Apache, &head, &Named(fields), body);
    stream.write_all(&request).await.expect("the server reads");
    let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
    loop {
        if let Some(answer) = reader.next_command().expect("the server's bytes are frames") {
            return answer;
        }
        let count = stream.read_buf(reader.read_buffer()).await.expect("the server answers");
        assert!(count > 0, "the server closed the connection instead of answering {code}");
    }
}
