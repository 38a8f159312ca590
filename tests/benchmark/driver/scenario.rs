//! What is measured, as data: scenarios, and who takes part.

use serde::Serialize;

/// Where the messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ServerKind {
    /// Our own, which answers at once and stores nothing.
    Null,
    /// An Apache RocketMQ broker.
    Real,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Sends, and waits for each answer.
    Send,
    /// Sends without an answer.
    Oneway,
    /// Pulls everything that a topic has.
    Drain,
    /// Consumes by push, one message a call of the handler, everything that a topic has.
    Consume,
    /// The same, with up to 32 messages a call.
    ConsumeBatches,
    /// Sends at a steady rate and consumes by push what it sent.
    EndToEnd,
}

impl Work {
    /// The word of the contract.
    pub(crate) fn mode(self) -> &'static str {
        match self {
            Self::Send | Self::Oneway => "produce",
            Self::Drain => "drain",
            Self::Consume | Self::ConsumeBatches => "consume",
            Self::EndToEnd => "end-to-end",
        }
    }

    /// Whether it takes the messages that a topic has, and sends none.
    pub(crate) fn empties(self) -> bool {
        matches!(self, Self::Drain | Self::Consume | Self::ConsumeBatches)
    }
}

/// How many messages a second are sent from end to end.
pub(crate) const RATE: usize = 1000;
/// How many messages a call of the handler gets at the most, where it gets several.
pub(crate) const BATCH: usize = 32;

/// One thing to measure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) server: ServerKind,
    pub(crate) work: Work,
    pub(crate) in_flight: usize,
    /// The length of a body in bytes.
    pub(crate) body: usize,
    pub(crate) topics: usize,
    /// For each topic; a real broker's topics always have 8.
    pub(crate) queues: usize,
    /// Messages that are measured.
    pub(crate) count: usize,
    /// Whether this is a point of a curve, which only our client draws.
    pub(crate) is_curve: bool,
    /// Whether the system calls of our client are counted and its lock measured too, each in a run of its own.
    pub(crate) has_details: bool,
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// Words beyond those of the contract.
    pub(crate) arguments: &'static [&'static str],
    pub(crate) kind: Kind,
    /// What it can do.
    pub(crate) works: &'static [Work],
    /// Warm-up in messages: a JVM compiles what it has seen often.
    pub(crate) warm_up: usize,
}

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// A program of this crate.
    Ours(&'static str),
    /// Our client, built once more with the feature `measure-lock`.
    OursMeasuringLock,
    /// A folder of `tests/benchmark/clients` with a script `build`.
    Peer(&'static str),
}

/// What a contestant is compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Ours, as it is by default: what the goals are about.
    Ours,
    /// Ours, set up in another way.
    OursToo,
    /// Somebody else's.
    Peer,
    /// Somebody else's in the style of callbacks, which makes sense with several messages in flight.
    PeerAsync,
    /// What the loopback itself gives.
    Floor,
}

const ALL: &[Work] = &[Work::Send, Work::Oneway, Work::Drain, Work::Consume, Work::ConsumeBatches, Work::EndToEnd];

const WARM_UP: usize = 20_000;
const JAVA_WARM_UP: usize = 200_000;

/// All who take part, in the order in which they take turns.
pub(crate) const CONTESTANTS: &[Contestant] = &[
    Contestant {
        name: "stgclient",
        program: Program::Ours("stgclient-client"),
        arguments: &[],
        kind: Kind::Ours,
        works: ALL,
        warm_up: WARM_UP,
    },
    Contestant {
        name: "stgclient-binary",
        program: Program::Ours("stgclient-client"),
        arguments: &["--codec", "binary"],
        kind: Kind::OursToo,
        works: ALL,
        warm_up: WARM_UP,
    },
    Contestant {
        name: "java",
        program: Program::Peer("java"),
        arguments: &[],
        kind: Kind::Peer,
        works: ALL,
        warm_up: JAVA_WARM_UP,
    },
    Contestant {
        name: "java-async",
        program: Program::Peer("java"),
        arguments: &["--style", "async"],
        kind: Kind::PeerAsync,
        works: &[Work::Send],
        warm_up: JAVA_WARM_UP,
    },
    Contestant {
        name: "go",
        program: Program::Peer("go"),
        arguments: &[],
        kind: Kind::Peer,
        works: ALL,
        warm_up: WARM_UP,
    },
    Contestant {
        name: "rocketmq-rust",
        program: Program::Peer("rocketmq-rust"),
        arguments: &[],
        kind: Kind::Peer,
        works: ALL,
        warm_up: WARM_UP,
    },
    Contestant {
        name: "ali-ons",
        program: Program::Peer("ali-ons"),
        arguments: &[],
        kind: Kind::Peer,
        works: &[Work::Send, Work::Consume, Work::EndToEnd],
        warm_up: WARM_UP,
    },
    Contestant {
        name: "stgclient-node",
        program: Program::Peer("stgclient-node"),
        arguments: &[],
        kind: Kind::OursToo,
        works: &[Work::Send, Work::Consume, Work::EndToEnd],
        warm_up: WARM_UP,
    },
    Contestant {
        name: "stgclient-node-plain",
        program: Program::Peer("stgclient-node"),
        arguments: &["--handler", "plain"],
        kind: Kind::OursToo,
        works: &[Work::Consume],
        warm_up: WARM_UP,
    },
    Contestant {
        name: "stgclient-node-gateway",
        program: Program::Peer("stgclient-node"),
        arguments: &["--through", "gateway"],
        kind: Kind::OursToo,
        works: &[Work::Send, Work::Consume],
        warm_up: WARM_UP,
    },
    Contestant {
        name: "loopback-floor",
        program: Program::Ours("loopback-floor"),
        arguments: &[],
        kind: Kind::Floor,
        works: &[Work::Send],
        warm_up: WARM_UP,
    },
];

impl Program {
    /// The name of what has to be built.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours(name) | Self::Peer(name) => name,
            Self::OursMeasuringLock => "stgclient-client that measures its lock",
        }
    }
}

impl Contestant {
    /// The same, as it is built to measure its lock.
    pub(crate) fn measuring_lock(self) -> Self {
        Self { program: Program::OursMeasuringLock, ..self }
    }

    /// Whether it takes part in a scenario.
    pub(crate) fn takes_part(&self, scenario: &Scenario) -> bool {
        let fits = match self.kind {
            Kind::Ours => true,
            Kind::OursToo | Kind::Peer => !scenario.is_curve,
            Kind::PeerAsync => !scenario.is_curve && scenario.in_flight > 1,
            Kind::Floor => !scenario.is_curve && scenario.server == ServerKind::Null && scenario.body == 128,
        };
        fits && self.works.contains(&scenario.work)
    }
}

/// All scenarios. `scale` changes how many messages each has.
pub(crate) fn all(scale: f64) -> Vec<Scenario> {
    let base = |name: &str, server, in_flight, count: usize| Scenario {
        name: name.to_owned(),
        server,
        work: Work::Send,
        in_flight,
        body: 128,
        topics: 1,
        queues: 8,
        count: ((count as f64 * scale) as usize).max(100),
        is_curve: false,
        has_details: false,
    };
    let detailed = |scenario: Scenario| Scenario { has_details: true, ..scenario };
    let (null, real) = (ServerKind::Null, ServerKind::Real);
    let mut scenarios = vec![
        detailed(base("null-1", null, 1, 50_000)),
        detailed(base("null-64", null, 64, 300_000)),
        detailed(base("null-1024", null, 1024, 300_000)),
        Scenario { body: 1024, ..base("null-64-1k", null, 64, 200_000) },
        Scenario { work: Work::Oneway, ..base("null-oneway", null, 1, 200_000) },
        base("real-1", real, 1, 20_000),
        detailed(base("real-64", real, 64, 100_000)),
        base("real-1024", real, 1024, 100_000),
        Scenario { body: 1024, ..base("real-64-1k", real, 64, 50_000) },
        Scenario { work: Work::Oneway, ..base("real-oneway", real, 1, 50_000) },
        Scenario { work: Work::Drain, ..base("real-drain", real, 8, 200_000) },
        Scenario { work: Work::Consume, ..base("null-consume", null, 1, 200_000) },
        Scenario { work: Work::ConsumeBatches, ..base("null-consume-32", null, 1, 200_000) },
        Scenario { work: Work::Consume, ..base("real-consume", real, 1, 200_000) },
        Scenario { work: Work::ConsumeBatches, ..base("real-consume-32", real, 1, 200_000) },
        Scenario { work: Work::EndToEnd, ..base("real-end-to-end", real, 1, 10 * RATE) },
    ];
    let curve =
        |name: String, topics, queues| Scenario { topics, queues, is_curve: true, ..base(&name, null, 64, 300_000) };
    for topics in [1, 10, 100, 1000] {
        scenarios.push(curve(format!("topics-{topics}"), topics, 8));
    }
    for queues in [8, 100, 1000, 10_000] {
        scenarios.push(curve(format!("queues-{queues}"), 1, queues));
    }
    scenarios
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all(1.0).into_iter().map(|scenario| scenario.name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn batches_are_for_those_that_have_them() {
        let scenarios = all(1.0);
        let by_name = |name: &str| scenarios.iter().find(|scenario| scenario.name == name).expect("a scenario");
        let takes_part = |client: &str, scenario| {
            CONTESTANTS.iter().any(|contestant| contestant.name == client && contestant.takes_part(by_name(scenario)))
        };
        assert!(takes_part("ali-ons", "null-consume") && !takes_part("ali-ons", "null-consume-32"));
        assert!(takes_part("go", "null-consume") && takes_part("go", "null-consume-32"));
        assert!(!takes_part("java-async", "real-end-to-end") && !takes_part("loopback-floor", "null-consume"));
    }

    #[test]
    fn a_curve_is_drawn_by_our_client_alone() {
        let curve = all(1.0).pop().expect("there are scenarios");
        assert!(curve.is_curve);
        assert_eq!(CONTESTANTS.iter().filter(|contestant| contestant.takes_part(&curve)).count(), 1);
    }
}
