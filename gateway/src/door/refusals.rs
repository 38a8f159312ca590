//! How a tunnel ends, as visitors are told: the code and the reason of a WebSocket's close. `gateway/README.md` has the table.

use std::borrow::Cow;

use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::door::doorkeeper::Denial;
use crate::door::targets::TargetError;
use crate::inspection::Violation;

/// Why a tunnel ends, or has not begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// The visitor is gone, or has said goodbye.
    #[error("the visitor has left")]
    Left,
    #[error("closed by the server")]
    Server,
    #[error("the gateway stops")]
    Draining,
    #[error("binary messages only")]
    Text,
    #[error("a message longer than {0} bytes")]
    LongMessage(usize),
    #[error("no WebSocket: {0}")]
    WebSocket(String),
    #[error("{0}")]
    Asked(&'static str),
    #[error("{0}")]
    Denied(#[from] Denial),
    #[error("the token has expired")]
    Expired,
    #[error("{0}")]
    Target(#[from] TargetError),
    #[error("nothing came for too long")]
    Idle,
    #[error("a request took too long to come")]
    Slow,
    #[error("the server takes nothing")]
    Stalled,
    #[error("no RocketMQ: {0}")]
    Violation(#[from] Violation),
    #[error("too many connections of yours")]
    TooMany,
    #[error("the server failed: {0}")]
    Broken(String),
}

impl End {
    /// The code that the visitor's WebSocket is closed with, and the word that metrics and logs have for it.
    pub(crate) const fn code(&self) -> (u16, &'static str) {
        match self {
            Self::Left => (1000, "left"),
            Self::Server => (1000, "server"),
            Self::Draining => (1001, "draining"),
            Self::WebSocket(_) => (1002, "websocket"),
            Self::Text => (1003, "text"),
            Self::LongMessage(_) => (1009, "long_message"),
            Self::Asked(_) => (4400, "asked"),
            Self::Denied(Denial::Origin(_)) => (4403, "origin"),
            Self::Denied(Denial::NoToken) => (4401, "no_token"),
            Self::Denied(Denial::Token(_)) => (4401, "token"),
            Self::Expired => (4401, "expired"),
            Self::Target(TargetError::Unknown(_)) => (4404, "unknown_target"),
            Self::Target(TargetError::Elsewhere(_)) => (4404, "target_elsewhere"),
            Self::Target(TargetError::Unreachable { .. }) => (4502, "unreachable"),
            Self::Idle => (4408, "idle"),
            Self::Slow => (4408, "slow"),
            Self::Stalled => (4502, "stalled"),
            Self::Violation(_) => (4410, "violation"),
            Self::TooMany => (4429, "too_many"),
            Self::Broken(_) => (4502, "broken"),
        }
    }

    /// What the visitor's WebSocket is told.
    pub(crate) fn frame(&self) -> CloseFrame {
        // More does not fit into a control frame.
        const LONGEST: usize = 123;
        let mut reason = match self {
            Self::Left => String::new(),
            other => other.to_string(),
        };
        while reason.len() > LONGEST {
            reason.pop();
        }
        CloseFrame { code: CloseCode::from(self.code().0), reason: Cow::<str>::Owned(reason).into_owned().into() }
    }
}
