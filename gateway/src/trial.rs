//! The inspection alone, for who gives it any bytes: `tests/fuzzing`.

use std::net::Ipv4Addr;

use bytes::Bytes;
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::dialect::Dialect;

use crate::asked::Asked;
use crate::boundaries::Boundaries;
use crate::inspection::{Counts, Inspection, Step, Terms};
use crate::keeping::{Allowance, Keeping};
use crate::visitor::{Patterns, Rights, Visitor};

/// What became of a visitor's bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What the server got.
    pub forwarded: Vec<u8>,
    /// What the visitor was told.
    pub answers: Vec<u8>,
    /// The places of messages that were looked at.
    pub places: Vec<i64>,
    /// How many requests have passed, and were refused.
    pub counts: (u64, u64),
    /// Whether a body is kept whose end is missing.
    pub is_keeping: bool,
    /// Why the tunnel has ended, if it has.
    pub end: Option<String>,
}

/// Inspects pieces of what a visitor sends, who may have the topic and the group `mine` alone if he is bound. No message is of his topic.
pub fn inspect<'a>(dialect: Dialect, is_bound: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mine = || is_bound.then(|| Patterns(vec!["mine".to_owned()]));
    let visitor = Visitor::new("anybody", Rights { administers: false, topics: mine(), groups: mine() });
    let terms = Terms { dialect, signer: None, longest_frame: 1 << 20, longest_body: 1 << 16 };
    let allowance = Allowance { keeping: Keeping::new(1 << 20), address: Ipv4Addr::LOCALHOST.into() };
    let mut inspection = Inspection::new(visitor, Asked::default(), allowance);
    let mut outcome = Outcome::default();
    for piece in pieces {
        let mut bytes = Bytes::copy_from_slice(piece);
        let end = loop {
            match inspection.next(&terms, &mut bytes) {
                Ok(None) => break None,
                Ok(Some(Step::Forward(piece))) => outcome.forwarded.extend_from_slice(&piece),
                Ok(Some(Step::Refuse(refused))) => {
                    outcome.answers.extend_from_slice(&refused.answer.unwrap_or_default());
                }
                Ok(Some(Step::ByPlace(offset, _, waiting))) => {
                    outcome.places.push(offset);
                    let refused = waiting.refuse(&terms, ResponseCode::NO_PERMISSION, "it is somebody else's".into());
                    outcome.answers.extend_from_slice(&refused.answer.unwrap_or_default());
                }
                Err(violation) => break Some(violation.to_string()),
            }
        };
        let Counts { passed, refused } = inspection.take_counts();
        outcome.counts.0 += passed;
        outcome.counts.1 += refused;
        outcome.is_keeping = inspection.kept().is_some();
        if end.is_some() {
            outcome.end = end;
            break;
        }
    }
    outcome
}

/// Where frames have ended in pieces of a server's stream, from its beginning on.
pub fn ends<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<usize> {
    let (mut boundaries, mut at, mut ends) = (Boundaries::new(Asked::default()), 0, Vec::new());
    for piece in pieces {
        ends.extend(boundaries.follow(piece).map(|end| at + end));
        at += piece.len();
    }
    ends.dedup();
    ends
}
