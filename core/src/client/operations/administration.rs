//! Administration under way: what a task says, carried out on connections.

use crate::client::base::ids::{OperationId, Owner};
use crate::client::base::signal::Signal;
use crate::client::base::value::{Outcome, Value};
use crate::client::operations::tasks::{Needs, Target, Task, Then};
use crate::client::routing::look_ups::{Clusters, NameServerQuestion, RouteOf, Seeker, topic_not_found};
use crate::client::routing::routes::read_route;
use crate::client::session::{EMPTY, Session, look_pauses};
use crate::connection::Backoff;
use crate::error::{self, Error, ErrorKind};
use crate::notice::Notice;
use crate::sorted::SortedSet;
use crate::time::{Instant, Now};
use crate::wire::body::ClusterInfo;
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;

/// The step that is not a request to a target: what has to be known first.
const LOOKING: u32 = u32::MAX;

/// A task under way: first what has to be known, then all brokers side by side, then the name servers.
#[derive(Debug)]
pub(crate) struct Administration {
    task: Task,
    deadline: Instant,
    targets: Vec<Target>,
    /// The targets that were asked and have not answered yet.
    open: SortedSet<u32>,
    /// The targets from here on have not been asked.
    asked: usize,
    /// Whether a name server has been told.
    is_told: bool,
    /// Why a name server could not be told. One that was is enough: brokers tell the others their topics when these
    /// come back.
    untold: Option<Error>,
    /// The targets that were busy, and are asked again after a pause, and what the last of them said.
    busy: SortedSet<u32>,
    last_busy: Option<Error>,
    pauses: Backoff,
}

impl Administration {
    pub(crate) const fn new(task: Task, deadline: Instant) -> Self {
        Self {
            task,
            deadline,
            targets: Vec::new(),
            open: SortedSet::new(),
            asked: 0,
            is_told: false,
            untold: None,
            busy: SortedSet::new(),
            last_busy: None,
            pauses: look_pauses(),
        }
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) fn resume(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        step: u32,
        signal: Signal<'_>,
    ) -> Option<Outcome> {
        if matches!(signal, Signal::Answer { .. } | Signal::Failed(_)) && self.task.changes().is_some() {
            session.end_topic_change(Owner::Operation(id, step));
        }
        let result = match signal {
            Signal::Start => self.look(session, now, id),
            Signal::Looked(answer) => {
                let answer = answer.map_err(topic_not_found);
                let is_absent = matches!(&answer, Err(error) if error.kind() == ErrorKind::TopicNotFound);
                if is_absent && self.task.goes_without_route() {
                    return self.look(session, now, id).transpose();
                }
                let targets = answer.and_then(|command| self.targets_of(session, &command));
                targets.and_then(|targets| {
                    self.targets = targets;
                    self.ask_next_targets(session, now, id)
                })
            }
            Signal::Ready => {
                self.write(session, now, id, step);
                Ok(None)
            }
            Signal::Answer { command, .. } if error::says_busy(ResponseCode(command.code)) && self.waits_for(step) => {
                let refused = Error::refused(ResponseCode(command.code), command.remark.as_deref());
                self.ask_later(session, now, id, step, refused);
                Ok(None)
            }
            Signal::Failed(error) if error.is_busy() && self.waits_for(step) => {
                self.ask_later(session, now, id, step, error);
                Ok(None)
            }
            Signal::Elapsed if now.mono < self.deadline => {
                session.operation_timers.set(id.key(), self.deadline);
                let busy = core::mem::take(&mut self.busy);
                busy.into_iter().for_each(|step| self.ask_target(session, now, id, step));
                self.ask_next_targets(session, now, id)
            }
            Signal::Answer { command, .. } => {
                let then = match self.take(command, step).map_err(|error| self.at(error, step)) {
                    Err(error) if self.is_slave(step) => {
                        let notice = Notice::debug("a slave refused, which does not matter");
                        session.notices.push(notice.about("error", error));
                        Ok(Then::Done)
                    }
                    then => then,
                };
                self.is_told |= self.is_name_server(step);
                then.and_then(|then| self.go_on(session, now, id, step, then))
            }
            Signal::Failed(error) if self.is_name_server(step) => {
                self.untold = Some(self.at(error, step));
                self.open.remove(&step);
                self.ask_next_targets(session, now, id)
            }
            Signal::Failed(_) if self.is_slave(step) => {
                self.open.remove(&step);
                self.ask_next_targets(session, now, id)
            }
            Signal::Failed(error) => Err(self.at(error, step)),
            Signal::Elapsed if self.is_told => self.task.give().map(Some),
            Signal::Elapsed => Err(self.time_is_up(session)),
            Signal::Written | Signal::Routed(_) => Ok(None),
        };
        match result {
            Ok(outcome) => outcome.map(Ok),
            Err(error) => Some(Err(error.context(self.task.words()))),
        }
    }

    fn is_name_server(&self, step: u32) -> bool {
        self.targets.get(step as usize).is_some_and(Target::is_name_server)
    }

    fn is_slave(&self, step: u32) -> bool {
        self.targets.get(step as usize).is_some_and(Target::is_slave)
    }

    /// Whether it cannot be done without the target of a step.
    fn waits_for(&self, step: u32) -> bool {
        !self.is_name_server(step) && !self.is_slave(step)
    }

    /// Asks a target that is busy once more, after a pause.
    fn ask_later(&mut self, session: &mut Session, now: Now, id: OperationId, step: u32, error: Error) {
        self.last_busy = Some(self.at(error, step));
        self.busy.insert(step);
        let pause = self.pauses.next_pause(&mut session.random);
        session.operation_timers.set(id.key(), self.deadline.min(now.mono + pause));
    }

    fn at(&self, error: Error, step: u32) -> Error {
        let Some(target) = self.targets.get(step as usize) else {
            return error;
        };
        let error = error.at(target.address());
        target.broker_name().into_iter().fold(error, Error::at_broker)
    }

    /// Why there was no answer in time, at the first of those that gave none.
    fn time_is_up(&mut self, session: &Session) -> Error {
        if let Some(error) = self.last_busy.take().filter(|_| !self.busy.is_empty()) {
            return error;
        }
        let error = Error::new(ErrorKind::Timeout, format!("{} servers did not answer", self.open.len()));
        let Some(&step) = self.open.first() else {
            return error;
        };
        let connection = self.targets.get(step as usize).and_then(|target| session.network.find(target.address()));
        let error = match connection.filter(|connection| !connection.is_connected()) {
            Some(connection) => connection.unreachable(),
            None => error,
        };
        self.at(error, step)
    }

    fn take(&mut self, command: &Command, step: u32) -> Result<Then, Error> {
        match self.targets.get(step as usize) {
            Some(target) => self.task.take(target, command),
            None => Ok(Then::Done),
        }
    }

    /// Who has answered is asked what follows from it, or is done.
    fn go_on(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        step: u32,
        then: Then,
    ) -> Result<Option<Value>, Error> {
        match (then, self.targets.get_mut(step as usize)) {
            (Then::Ask(next), Some(target)) => {
                *target = next;
                self.ask_target(session, now, id, step);
                Ok(None)
            }
            _ => {
                self.open.remove(&step);
                self.ask_next_targets(session, now, id)
            }
        }
    }

    /// Asks for what has to be known first.
    fn look(&mut self, session: &mut Session, now: Now, id: OperationId) -> Result<Option<Value>, Error> {
        // What is the servers' own is found among their names.
        let is_guarded = session.config.dialect().guards_topics() || self.task.changes().is_none();
        let request = match self.task.needs() {
            Needs::Nothing(address) if is_guarded => {
                self.targets = vec![Target::Broker(address.clone())];
                return self.ask_next_targets(session, now, id);
            }
            Needs::Nothing(_) | Needs::Clusters => NameServerQuestion::from(Clusters),
            Needs::Route(topic) => RouteOf { topic: topic.into() }.into(),
        };
        let deadline = now.mono + session.config.request_timeout;
        session.ask_name_servers(now, request, deadline, Seeker::Operation(Owner::Operation(id, LOOKING)));
        Ok(None)
    }

    fn targets_of(&mut self, session: &Session, command: &Command) -> Result<Vec<Target>, Error> {
        if matches!(self.task.needs(), Needs::Route(_)) {
            return self.task.targets_on(&read_route(command)?.0);
        }
        let clusters: ClusterInfo =
            command.read_body().map_err(|error| Error::new(ErrorKind::MalformedAnswer, error.to_string()))?;
        let is_server = |name: &str| {
            clusters.cluster_addr_table.contains_key(name) || clusters.broker_addr_table.contains_key(name)
        };
        if let Some(topic) = self.task.changes() {
            session.config.check_topic_to_change(topic, is_server)?;
        }
        if let Needs::Nothing(address) = self.task.needs() {
            return Ok(vec![Target::Broker(address.clone())]);
        }
        let name_servers: Vec<_> = session.name_servers.addresses().cloned().collect();
        self.task.targets(&clusters, &name_servers)
    }

    /// Asks all brokers, then all name servers; the task is done when nobody is left to ask.
    fn ask_next_targets(&mut self, session: &mut Session, now: Now, id: OperationId) -> Result<Option<Value>, Error> {
        if !self.open.is_empty() {
            return Ok(None);
        }
        let Some(kind) = self.targets.get(self.asked).map(Target::is_name_server) else {
            return match self.untold.take().filter(|_| !self.is_told) {
                Some(error) => Err(error),
                None => self.task.give().map(Some),
            };
        };
        let from = self.asked;
        let count = self.targets[from..].iter().take_while(|target| target.is_name_server() == kind).count();
        self.asked += count;
        self.open = (from as u32..(from + count) as u32).collect();
        for step in self.open.clone() {
            self.ask_target(session, now, id, step);
        }
        if self.open.is_empty() { self.ask_next_targets(session, now, id) } else { Ok(None) }
    }

    fn ask_target(&mut self, session: &mut Session, now: Now, id: OperationId, step: u32) {
        let peer = session.network.peer(self.targets[step as usize].address());
        match session.network.get(peer) {
            Some(connection) if connection.is_connected() => self.write(session, now, id, step),
            // It is known to be away, and the task can do without it.
            Some(connection) if connection.is_paused() && self.is_name_server(step) => {
                self.untold = Some(self.at(connection.unreachable(), step));
                self.open.remove(&step);
            }
            Some(connection) if connection.is_paused() && self.is_slave(step) => _ = self.open.remove(&step),
            _ => {
                let owner = Owner::Operation(id, step);
                session.network.with(peer, |connection| connection.wait(now.mono, owner));
            }
        }
    }

    fn write(&self, session: &mut Session, now: Now, id: OperationId, step: u32) {
        let Some(target) = self.targets.get(step as usize) else {
            return;
        };
        let peer = session.network.peer(target.address());
        // What is not needed leaves time for what is.
        let deadline = if target.is_slave() { now.mono + session.config.request_timeout } else { self.deadline };
        let (deadline, owner) = (deadline.min(self.deadline), Owner::Operation(id, step));
        if self.task.changes().is_some() && !target.is_name_server() && !session.may_change_topics(peer, owner) {
            return;
        }
        self.task.write(session.config.dialect(), target, &mut |code, header| {
            if session.ask_code(now, peer, (code, header, &EMPTY), deadline, owner) {
                session.note_topic_change_sent(peer, owner);
            }
        });
    }
}
