//! Look-ups at the name servers, which go on to the next one when one fails.

use crate::address::Address;
use crate::client::base::client_event::ClientEvent;
use crate::client::base::ids::{CallId, Owner, PeerId};
use crate::client::base::signal::Signal;
use crate::client::routing::look_ups::{NameServerCall, NameServerQuestion, Seeker};
use crate::client::session::{EMPTY, Session};
use crate::error::{Attempt, Cause, Error, ErrorKind};
use crate::time::{Instant, Now};
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;
use crate::wire::request::{GetRouteInfo, Request};

impl Session {
    /// Asks the name servers, one after the other until one answers or the time is up.
    pub(crate) fn ask_name_servers(
        &mut self,
        now: Now,
        question: impl Into<NameServerQuestion>,
        deadline: Instant,
        seeker: Seeker,
    ) {
        let call = NameServerCall {
            question: question.into(),
            seeker,
            started: now.mono,
            deadline,
            tried: Vec::new(),
            attempts: Vec::new(),
            absence: None,
            lasting: None,
            last_failure: None,
            try_deadline: deadline,
        };
        let id = self.calls.table.insert(call);
        self.ask_next(now, id);
    }

    fn ask_next(&mut self, now: Now, id: CallId) {
        let Some(call) = self.calls.table.get_mut(id) else {
            return;
        };
        let next = self.name_servers.choose(now.mono, &call.tried).filter(|_| now.mono < call.deadline);
        // Nobody waits for one that is away to hear what another one has said.
        let is_worth_it =
            |address: &Address| call.absence.is_none() || !self.name_servers.is_skipped(now.mono, address);
        let Some(address) = next.filter(is_worth_it) else {
            if let Some(absence) = call.absence.take() {
                return self.end_call(now, id, Err(absence));
            }
            let attempts = core::mem::take(&mut call.attempts);
            let cause = call.last_failure.take().map(Cause::new);
            let error = match (attempts.as_slice(), call.lasting.take()) {
                ([_], Some(error)) => error,
                (_, Some(error)) => error.with_attempts(attempts),
                ([], None) => Error::new(ErrorKind::NameServersUnavailable, "there is none"),
                // One name server: what it did is the reason.
                ([one], None) => {
                    let error = Error::failed(ErrorKind::NameServersUnavailable, &one.outcome).caused_by(cause);
                    one.address.iter().fold(error, |error, address| error.at(address))
                }
                (_, None) => Error::new(ErrorKind::NameServersUnavailable, "").with_attempts(attempts).caused_by(cause),
            };
            return self.end_call(now, id, Err(error));
        };
        // Each that is left gets its share of the time, so that a hung one leaves some to the others.
        let left = self.name_servers.len().saturating_sub(call.tried.len()).max(1);
        let share = call.deadline.since(now.mono) / left as u32;
        call.tried.push(address.clone());
        call.try_deadline = now.mono + share;
        self.calls.timers.set(id.key(), call.try_deadline);
        let peer = self.network.peer(&address);
        self.network.with(peer, |connection| connection.hurry(now.mono));
        self.write_call(now, id, peer);
    }

    fn write_call(&mut self, now: Now, id: CallId, peer: PeerId) {
        let Some(call) = self.calls.table.get(id) else {
            return;
        };
        let (deadline, owner) = (call.try_deadline, Owner::NameServerCall(id, call.tried.len() as u32));
        let question = call.question.clone();
        question.write(&mut |header| {
            self.ask_code(now, peer, (question.code(), header, &EMPTY), deadline, owner);
        });
    }

    /// Goes on with a look-up whose connection stands, whose answer came or whose server failed.
    /// `turn` says which server it is about: what an earlier one does comes too late.
    pub(crate) fn resume_name_server_call(&mut self, now: Now, id: CallId, turn: u32, signal: Signal<'_>) {
        let call = self.calls.table.get(id).filter(|call| call.tried.len() as u32 == turn);
        let Some(address) = call.and_then(|call| call.tried.last().cloned()) else {
            return;
        };
        match signal {
            Signal::Ready => {
                let peer = self.network.peer(&address);
                self.write_call(now, id, peer);
            }
            Signal::Answer { command, .. } => {
                let code = ResponseCode(command.code);
                if let Some(error) = self.config.wrong_dialect(command) {
                    return self.end_call(now, id, Err(error.at(&address)));
                }
                // A name server knows where topics are, if it knows anything; a broker does not (`AdminBrokerProcessor`).
                if code == ResponseCode::REQUEST_CODE_NOT_SUPPORTED
                    && self.calls.table.get(id).is_some_and(|call| call.question.code() == GetRouteInfo::CODE)
                {
                    let error = Error::no_name_server(command.remark.as_deref());
                    return self.call_failed(now, id, &address, &error);
                }
                // A name server that is starting or overloaded says so; another one may know.
                if matches!(code, ResponseCode::SYSTEM_ERROR | ResponseCode::SYSTEM_BUSY) {
                    let error = Error::refused(code, command.remark.as_deref());
                    return self.call_failed(now, id, &address, &error);
                }
                self.name_servers.note_answer(&address);
                if code == ResponseCode::TOPIC_NOT_EXIST
                    && let Some(call) = self.calls.table.get_mut(id)
                    && call.question.may_be_known_elsewhere()
                {
                    call.absence = Some(Error::refused(code, command.remark.as_deref()).at(&address));
                    return self.ask_next(now, id);
                }
                let answer = if code == ResponseCode::SUCCESS {
                    Ok(command.clone())
                } else {
                    Err(Error::refused(code, command.remark.as_deref()).at(&address))
                };
                self.end_call(now, id, answer);
            }
            Signal::Failed(error) => self.call_failed(now, id, &address, &error),
            _ => {}
        }
    }

    fn call_failed(&mut self, now: Now, id: CallId, address: &Address, error: &Error) {
        if self.name_servers.note_failure(now.mono, address) {
            let lost = ClientEvent::NameServerLost { address: address.clone(), error: error.clone() };
            self.network.client_events.push_back(lost);
        }
        if let Some(call) = self.calls.table.get_mut(id) {
            let is_lasting =
                matches!(error.kind(), ErrorKind::TlsFailed | ErrorKind::AccessDenied | ErrorKind::NotANameServer);
            let has_been = call.attempts.is_empty() || call.lasting.is_some();
            call.lasting = (is_lasting && has_been).then(|| error.clone().at(address));
            call.last_failure = Some(error.clone().at(address));
            call.attempts.push(Attempt {
                address: Some(address.clone()),
                after: now.mono.since(call.started),
                outcome: error.outcome(),
            });
        }
        self.ask_next(now, id);
    }

    /// Gives up on name servers that took more than their share of the time.
    pub(crate) fn call_deadlines(&mut self, now: Now) {
        while let Some(slot) = self.calls.timers.pop_due(now.mono) {
            let Some(id) = self.calls.table.id_of(slot) else {
                continue;
            };
            if let Some(address) = self.calls.table.get(id).and_then(|call| call.tried.last().cloned()) {
                let unconnected = self.network.find(&address).filter(|connection| !connection.is_connected());
                let error = match unconnected {
                    Some(connection) => connection.unreachable(),
                    None => Error::new(ErrorKind::Timeout, ""),
                };
                self.call_failed(now, id, &address, &error);
            }
        }
    }

    fn end_call(&mut self, now: Now, id: CallId, answer: Result<Command, Error>) {
        self.calls.timers.clear(id.key());
        let Some(call) = self.calls.table.remove(id) else {
            return;
        };
        match call.seeker {
            Seeker::Operation(owner) => self.signals.push_back((owner, Signal::Looked(answer))),
            Seeker::Topic(topic) => self.take_route(now, topic, answer),
            Seeker::DefaultTopic(topic) => self.take_default_route(now, topic, answer),
        }
    }
}
