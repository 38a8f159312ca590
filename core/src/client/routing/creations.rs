//! Topics that are created for their first message: how far each broker is.

use std::sync::Arc;

use crate::client::base::ids::PeerId;
use crate::error::{Error, ErrorKind};
use crate::routes::route::TopicRoute;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};
use crate::wire::body::TopicStatsTable;
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;

/// A topic that is being created.
#[derive(Debug)]
pub(crate) struct Creation {
    pub(crate) name: Arc<str>,
    /// The default topic's, or its own that brokers have lost, cut to what the topic is to have.
    pub(crate) route: TopicRoute,
    /// How many queues it gets at each broker.
    pub(crate) queues: u32,
    steps: Vec<Step>,
    /// The number of the first of them; no two steps of any creations share one.
    first: u32,
    /// Until then brokers may say whether they have the topic.
    pub(crate) says_until: Instant,
    /// Every broker has said that, or cannot.
    has_begun: bool,
    /// Of how many brokers those who wait have been told that they have it.
    told: usize,
}

/// How far a broker is.
#[derive(Debug)]
pub(crate) struct Step {
    broker_name: Arc<str>,
    pub(crate) peer: PeerId,
    pub(crate) state: State,
    /// When it has said that it has not got the topic.
    said_at: Instant,
    /// It may only say whether it has the topic: the default topic is not there, as far as name servers know.
    is_only_asked: bool,
}

#[derive(Debug)]
pub(crate) enum State {
    /// It is being asked whether it has the topic.
    Asked,
    /// It has not.
    Absent,
    Creating,
    /// It has so many queues of it, from now on or already.
    Has {
        queues: u32,
        is_new: bool,
    },
    /// It stays without.
    Left,
    Failed(Error),
}

/// What a broker has said so long ago that somebody may have created the topic since.
const OLD: Duration = Duration::from_millis(100);

impl Creation {
    /// A topic that is to be created by a route, with so many queues at each broker. Steps are counted from `first` on.
    pub(crate) fn new(
        name: Arc<str>,
        (route, queues): (TopicRoute, u32),
        steps: Vec<Step>,
        first: u32,
        says_until: Instant,
    ) -> Self {
        Self { name, route, queues, steps, first, says_until, has_begun: false, told: 0 }
    }

    pub(crate) fn step(&self, number: u32) -> Option<&Step> {
        self.steps.get(number.checked_sub(self.first)? as usize)
    }

    fn step_mut(&mut self, number: u32) -> Option<&mut Step> {
        self.steps.get_mut(number.checked_sub(self.first)? as usize)
    }

    /// The steps that are not over, by their numbers.
    pub(crate) fn open_steps(&self) -> Vec<u32> {
        let open = (self.first..).zip(&self.steps).filter(|(_, step)| !step.is_over());
        open.map(|(number, _)| number).collect()
    }

    /// Takes a broker's answer. Returns whether it is to be asked for the next step.
    pub(crate) fn take_answer(&mut self, now: Instant, step: u32, answer: &Command) -> bool {
        let (queues, has_begun) = (self.queues, self.has_begun);
        let Some(known) = self.step_mut(step).filter(|known| !known.is_over()) else {
            return false;
        };
        (known.state, known.said_at) = (known.state.after(answer, queues), now);
        let goes_on = has_begun && matches!(known.state, State::Absent);
        if goes_on {
            known.state = State::Creating;
        }
        goes_on
    }

    /// A broker's turn has come to change topics, or its connection stands. Somebody may have created the topic there meanwhile:
    /// it is asked, once more. Returns whether it is.
    pub(crate) fn take_turn(&mut self, step: u32) -> bool {
        let Some(known) = self.step_mut(step) else {
            return false;
        };
        if matches!(known.state, State::Creating) {
            known.state = State::Asked;
        }
        matches!(known.state, State::Asked)
    }

    /// Until when brokers may say whether they have the topic, as long as it is not known of all.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.has_begun).then_some(self.says_until)
    }

    /// Those that have not said whether they have it.
    pub(crate) fn silent(&self) -> Vec<(u32, PeerId)> {
        let silent = (self.first..).zip(&self.steps).filter(|(_, step)| matches!(step.state, State::Asked));
        silent.map(|(number, step)| (number, step.peer)).collect()
    }

    /// Once all have said whether they have the topic, it is created at those that have not: but if one has it, it is as
    /// somebody made it. Returns which are to be asked now: for that, or whether they still have not got it.
    pub(crate) fn begin(&mut self, now: Instant) -> Vec<u32> {
        if self.has_begun || self.steps.iter().any(|step| matches!(step.state, State::Asked)) {
            return Vec::new();
        }
        self.has_begun = true;
        let is_there = !self.has().is_empty();
        let absent = (self.first..).zip(&mut self.steps).filter(|(_, step)| matches!(step.state, State::Absent));
        let begin = |(number, step): (u32, &mut Step)| {
            step.state = if is_there || step.is_only_asked {
                State::Left
            } else if now.since(step.said_at) > OLD {
                State::Asked
            } else {
                State::Creating
            };
            matches!(step.state, State::Asked | State::Creating).then_some(number)
        };
        absent.filter_map(begin).collect()
    }

    /// A broker cannot say, or has not created it.
    pub(crate) fn fail(&mut self, step: u32, error: Error) {
        if let Some(known) = self.step_mut(step).filter(|known| !known.is_over()) {
            known.state = State::Failed(error);
        }
    }

    /// The brokers that have it, and how many queues, if it has begun and they are more than last time.
    pub(crate) fn take_news(&mut self) -> Option<SortedMap<Arc<str>, u32>> {
        let has = self.has();
        let is_more = self.has_begun && has.len() > self.told;
        is_more.then(|| {
            self.told = has.len();
            has
        })
    }

    /// Whether those who wait have been told that it is there.
    pub(crate) const fn is_told(&self) -> bool {
        self.told > 0
    }

    fn has(&self) -> SortedMap<Arc<str>, u32> {
        let has = self.steps.iter().filter_map(|step| match step.state {
            State::Has { queues, .. } => Some((step.broker_name.clone(), queues)),
            _ => None,
        });
        has.collect()
    }

    pub(crate) fn is_created(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.state, State::Has { is_new: true, .. }))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.has_begun && self.steps.iter().all(Step::is_over)
    }

    /// Why no broker has it.
    pub(crate) fn failure(&self) -> Error {
        let failed = self.steps.iter().rev().find_map(|step| match &step.state {
            State::Failed(error) => Some(error.clone().at_broker(&step.broker_name)),
            _ => None,
        });
        let none = || Error::new(ErrorKind::BrokerNotFound, "no broker of the default topic has a master");
        failed.unwrap_or_else(none).context(format_args!("create topic {} for its first message", self.name))
    }
}

impl Step {
    /// A broker that is to be asked whether it has the topic, and to create it unless it `is_only_asked`.
    pub(crate) const fn new(now: Instant, broker_name: Arc<str>, peer: PeerId, is_only_asked: bool) -> Self {
        Self { broker_name, peer, state: State::Asked, said_at: now, is_only_asked }
    }

    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.state, State::Has { .. } | State::Left | State::Failed(_))
    }
}

impl State {
    /// Where a broker is after this answer, if the topic gets so many queues.
    fn after(&self, answer: &Command, queues: u32) -> Self {
        match (self, ResponseCode(answer.code)) {
            (Self::Asked, ResponseCode::TOPIC_NOT_EXIST) => Self::Absent,
            (Self::Asked, ResponseCode::SUCCESS) => match answer.read_body::<TopicStatsTable>() {
                Ok(table) => Self::Has { queues: table.offset_table.len() as u32, is_new: false },
                Err(error) => Self::Failed(Error::new(ErrorKind::MalformedAnswer, error.to_string())),
            },
            (_, ResponseCode::SUCCESS) => Self::Has { queues, is_new: true },
            (_, code) => Self::Failed(Error::refused(code, answer.remark.as_deref())),
        }
    }
}
