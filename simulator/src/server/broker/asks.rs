//! What a broker asks of clients (`Broker2Client`).

use stgclient_core::wire::command::{self, FLAG_ONEWAY, Head, HeaderCodec, Language};
use stgclient_core::wire::request::Request;

use super::super::output::Outputs;
use super::super::peer::Peer;
use super::super::reply::{DIALECT, VERSION};

/// The requests of a broker to its clients.
#[derive(Debug, Default)]
pub(super) struct Asks {
    /// The number of the last one. A broker numbers its requests as a client does its own: an answer is matched to its
    /// request within one direction only.
    opaque: i32,
}

impl Asks {
    /// A request that nobody is to answer.
    pub(super) fn oneway<'r, R: Request<'r>>(&mut self, out: &mut Outputs, peer: Peer, request: &R, body: &[u8]) {
        self.opaque = self.opaque.wrapping_add(1) & i32::MAX;
        let head = Head {
            code: R::CODE.0,
            language: Language::JAVA,
            version: VERSION,
            opaque: self.opaque,
            flag: FLAG_ONEWAY,
            remark: None,
        };
        // A broker's own requests are in JSON, whatever the client writes (`RemotingCommand.serializeTypeConfigInThisServer`).
        out.frame(peer, |pieces| command::encode(pieces.tail(), HeaderCodec::Json, DIALECT, &head, request, body));
    }
}
