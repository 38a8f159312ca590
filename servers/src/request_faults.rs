//! What may go wrong with requests, and how often: drawn from a seed, for any request of any code.

use std::collections::BTreeSet;

use stgclient_core::random::Random;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;

use super::force::{Forced, Malformed};

/// How servers treat requests. Chances are per thousand; of what falls together the first of this list happens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestFaults {
    /// The requests that anything happens to; `None`: all.
    pub codes: Option<BTreeSet<RequestCode>>,
    /// How likely a request is refused, with one of [`Self::refused_with`].
    pub refusals: u16,
    /// The codes of refusals, of which one is drawn. None: nothing is refused.
    pub refused_with: Vec<ResponseCode>,
    /// How likely a request is lost: neither carried out nor answered.
    pub losses: u16,
    /// How likely an answer is lost: the request is carried out.
    pub lost_answers: u16,
    /// How likely an answer comes late.
    pub delays: u16,
    /// How late it comes at the most.
    pub max_delay: Duration,
    /// How likely an answer comes twice.
    pub doubles: u16,
    /// How likely an answer cannot be read. That of a pull then has a wrong header, and keeps its messages: who believes
    /// the header could not tell messages that are missing from those that are damaged.
    pub malformed: u16,
}

impl RequestFaults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        codes: None,
        refusals: 0,
        refused_with: Vec::new(),
        losses: 0,
        lost_answers: 0,
        delays: 0,
        max_delay: Duration::ZERO,
        doubles: 0,
        malformed: 0,
    };

    /// Faults of their own kind for each seed: each is left out with one chance in two and has a rate of its own otherwise,
    /// and in one seed of two it is only about half of `codes` that anything happens to.
    pub fn drawn(seed: u64, codes: &[RequestCode]) -> Self {
        let mut random = Random::new(seed);
        let is_some = random.below(2) == 1;
        let chosen = codes.iter().filter(|_| !is_some || random.below(2) == 1).copied().collect();
        let mut chance = |most: u64| {
            let is_on = random.below(2) == 1;
            let rate = 1 + random.below(most);
            if is_on { rate as u16 } else { 0 }
        };
        Self {
            refusals: chance(100),
            losses: chance(30),
            lost_answers: chance(30),
            delays: chance(100),
            doubles: chance(100),
            malformed: chance(50),
            refused_with: vec![ResponseCode::SYSTEM_BUSY, ResponseCode::SYSTEM_ERROR],
            max_delay: Duration::from_millis(1 + random.below(6_000)),
            codes: Some(chosen),
        }
    }
}

/// Faults as one server draws them.
#[derive(Debug)]
pub(super) struct DrawnFaults {
    faults: RequestFaults,
    random: Random,
}

impl DrawnFaults {
    pub(super) const fn new(faults: RequestFaults, seed: u64) -> Self {
        Self { faults, random: Random::new(seed) }
    }

    /// What happens to `request`.
    pub(super) fn draw(&mut self, request: &Command) -> Option<Forced> {
        let Self { faults, random } = self;
        let code = RequestCode(request.code);
        if faults.codes.as_ref().is_some_and(|codes| !codes.contains(&code)) {
            return None;
        }
        let mut happens = |rate: u16| rate > 0 && random.below(1000) < u64::from(rate);
        if happens(faults.refusals) && !faults.refused_with.is_empty() {
            let code = faults.refused_with[random.below(faults.refused_with.len() as u64) as usize];
            return Some(Forced::Refuse(code, "it was drawn".into()));
        }
        if happens(faults.losses) {
            return Some(Forced::Lost);
        }
        if happens(faults.lost_answers) {
            return Some(Forced::Unanswered);
        }
        if happens(faults.delays) {
            let micros = random.below(faults.max_delay.as_micros() as u64 + 1);
            return Some(Forced::Delay(Duration::from_micros(micros)));
        }
        if happens(faults.doubles) {
            return Some(Forced::Twice);
        }
        if !happens(faults.malformed) {
            return None;
        }
        let is_pull = matches!(code, RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE);
        Some(Forced::Malformed(match random.below(3) {
            _ if is_pull => Malformed::WrongHeader,
            0 => Malformed::TruncatedBody,
            1 => Malformed::WrongBody,
            _ => Malformed::WrongHeader,
        }))
    }
}
