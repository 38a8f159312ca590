//! What the attackers did, and what became of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

/// An attack, by what it is and how a gateway counts that it was refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The third number of the addresses that it comes from: bounds of addresses are each attack's own.
    pub(crate) address: u8,
    pub(crate) counted: Counted,
}

/// Where a gateway counts a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    /// `ends_total`.
    End(&'static str),
    /// `dropped_total`.
    Dropped(&'static str),
    /// `requests_total`, as refused.
    Request,
    /// What is bounded is not refused.
    Nowhere,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End(why) => write!(f, "stgclient_gateway_ends_total{{why=\"{why}\"}}"),
            Self::Dropped(why) => write!(f, "stgclient_gateway_dropped_total{{why=\"{why}\"}}"),
            Self::Request => f.write_str("stgclient_gateway_requests_total{outcome=\"refused\"}"),
            Self::Nowhere => f.write_str("-"),
        }
    }
}

/// How often an attack was made, and what became of it. The rest was under way when a storm was over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) made: u64,
    /// As it should be.
    pub(crate) refused: u64,
    /// Before a word: there were too many.
    pub(crate) dropped: u64,
}

/// What became of an attack.
pub(crate) enum Outcome {
    /// It was refused, or bounded, as it should be.
    Refused,
    /// It was dropped before a word, as one of too many.
    Dropped,
    /// It got what it should not have.
    Breach(String),
}

#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    tallies: BTreeMap<&'static str, (Option<Counted>, Tally)>,
    breaches: Vec<String>,
}

impl Book {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap()
    }

    fn change(&self, kind: Kind, change: impl FnOnce(&mut Tally)) {
        let mut entries = self.entries();
        let (counted, tally) = entries.tallies.entry(kind.name).or_default();
        *counted = Some(kind.counted);
        change(tally);
    }

    pub(crate) fn made(&self, kind: Kind) {
        self.change(kind, |tally| tally.made += 1);
    }

    pub(crate) fn note(&self, kind: Kind, outcome: Outcome) {
        match outcome {
            Outcome::Refused => self.change(kind, |tally| tally.refused += 1),
            Outcome::Dropped => self.change(kind, |tally| tally.dropped += 1),
            Outcome::Breach(what) => self.entries().breaches.push(format!("{}: {what}", kind.name)),
        }
    }

    /// Asserts that each attack was made and refused, that none was let through, and that the gateway has counted what was refused: at
    /// least as often as attackers have seen it, and no more often than they tried.
    pub(crate) fn agrees_with(&self, count: impl Fn(&str) -> f64) {
        let entries = self.entries();
        let mut sums: BTreeMap<Counted, Tally> = BTreeMap::new();
        for (name, (counted, tally)) in &entries.tallies {
            let Tally { made, refused, dropped } = tally;
            println!("{name:<44} {made:>7} made {refused:>7} refused {dropped:>6} dropped");
            let sum = sums.entry(counted.unwrap_or(Counted::Nowhere)).or_default();
            sum.made += made;
            sum.refused += refused;
        }
        assert!(entries.breaches.is_empty(), "{:#?}", entries.breaches);
        for (name, (_, tally)) in &entries.tallies {
            assert!(tally.refused > 0, "{name}: {tally:?}");
        }
        let all: u64 = sums.values().map(|sum| sum.made).sum();
        for (counted, sum) in sums {
            if counted != Counted::Nowhere {
                let said = count(&counted.to_string());
                // Any connection may be dropped, for one reason or another, and any tunnel idle on a machine that is busy.
                let most = if matches!(counted, Counted::Dropped(_) | Counted::End("idle")) { all } else { sum.made };
                let (least, most) = (sum.refused as f64, most as f64);
                assert!(least <= said && said <= most, "{counted}: {least} <= {said} <= {most}");
                println!("{counted:<60} {least:>7} <= {said:>7} <= {most:>7}");
            }
        }
    }
}
