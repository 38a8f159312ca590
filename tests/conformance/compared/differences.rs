//! What differs by choice, as the docs have it, and what was found to differ.

use std::collections::BTreeSet;

use stgclient_core::wire::code::RequestCode as Code;

/// The docs' table: request code, field, why.
const NAMED: &str = include_str!("../../../servers/DIFFERENCES.md");

/// How many that are not named are shown: one leads to others.
const SHOWN: usize = 60;

/// Something that differed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Difference {
    pub(crate) seed: u64,
    pub(crate) code: i32,
    pub(crate) request: String,
    /// Where exactly it was, for who looks into it.
    pub(crate) place: String,
    pub(crate) field: String,
    pub(crate) ours: Option<String>,
    pub(crate) apache: Option<String>,
}

/// What is named and what was met.
pub(crate) struct Differences {
    named: BTreeSet<(i32, String)>,
    /// Those that differ only at times.
    seldom: BTreeSet<(i32, String)>,
    met: BTreeSet<(i32, String)>,
    unknown: BTreeSet<(i32, String)>,
    /// All that were met and are not named, in order.
    found: Vec<Difference>,
}

impl Differences {
    /// The table of the docs.
    pub(crate) fn read() -> Self {
        let rows = || NAMED.lines().filter_map(|line| line.strip_prefix("| "));
        let seldom = rows().filter(|row| row.contains("at times")).filter_map(row).collect();
        let named: Vec<(i32, String)> = rows().filter_map(row).collect();
        let count = named.len();
        let named: BTreeSet<_> = named.into_iter().collect();
        assert_eq!(named.len(), count, "something is named twice");
        Self { named, seldom, met: BTreeSet::new(), unknown: BTreeSet::new(), found: Vec::new() }
    }

    /// How many there are.
    pub(crate) fn named(&self) -> usize {
        self.named.len()
    }

    /// Whether answers to this request are known to differ there: it is no use to ask again.
    pub(crate) fn knows(&self, code: i32, field: &str) -> bool {
        let place = (code, field.to_owned());
        self.named.contains(&place) || self.unknown.contains(&place)
    }

    /// How many were met that are not named.
    pub(crate) fn unknown(&self) -> usize {
        self.unknown.len()
    }

    pub(crate) fn met(&mut self, difference: Difference) {
        let place = (difference.code, difference.field.clone());
        if self.named.contains(&place) {
            self.met.insert(place);
        } else {
            self.unknown.insert(place);
            self.found.push(difference);
        }
    }

    /// Fails if anything differs that is not named, or if something is named that does not differ.
    pub(crate) fn judge(&self) {
        let mut last = "";
        for found in self.found.iter().take(SHOWN) {
            if found.request != last {
                println!("seed {}: {}", found.seed, found.request.chars().take(700).collect::<String>());
            }
            last = &found.request;
            println!("  {} {}: {}", Code(found.code), found.field, found.place);
            println!("    ours   {:?}", found.ours);
            println!("    Apache {:?}", found.apache);
        }
        assert!(self.unknown.is_empty(), "{} differences are not named", self.unknown.len());
        let idle: Vec<_> = self.named.difference(&self.met).filter(|place| !self.seldom.contains(*place)).collect();
        assert!(idle.is_empty(), "named, but the same: {idle:?}");
    }
}

/// `SEND_MESSAGE (10) | field | reason |`.
fn row(line: &str) -> Option<(i32, String)> {
    let mut cells = line.split(" | ");
    let (code, field) = (cells.next()?, cells.next()?);
    let code = code.rsplit_once('(')?.1.strip_suffix(')')?.parse().ok()?;
    Some((code, field.trim_matches('`').to_owned()))
}
