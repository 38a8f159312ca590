//! Closing: what is under way ends, brokers hear that we leave, connections close.

use crate::client::base::closing::Closing;
use crate::client::base::event::Event;
use crate::client::driver::Client;
use crate::client::operations::Operation;
use crate::client::routing::look_ups::NameServerCalls;
use crate::error::{Error, ErrorKind};
use crate::time::{Duration, Now};

/// How long brokers have to acknowledge that we leave; they find out by themselves when the connection closes.
const FAREWELL: Duration = Duration::from_millis(500);

impl Client {
    /// Closes the client: nothing new is taken, what is under way may end within `grace`, brokers hear that its groups
    /// leave, and all connections close. Pulls end at once. [`Event::Closed`] follows. Who closes again may make `grace`
    /// shorter.
    pub fn close(&mut self, now: Now, grace: Duration) {
        let until = now.mono + grace;
        match self.session.closing {
            None => {}
            Some(Closing::Draining { until: known }) if until < known => {}
            Some(_) => return,
        }
        self.session.closing = Some(Closing::Draining { until });
        self.close_push_consumers(now, grace);
        let pulls = |operation: &Operation| matches!(operation, Operation::Queue(request) if request.is_pull());
        self.abandon(now, pulls);
        self.close_if_done(now);
        self.run(now);
    }

    /// Goes on with closing when it is time to.
    pub(crate) fn close_if_done(&mut self, now: Now) {
        match self.session.closing {
            // Push consumers take their time to commit and to give locks back, which they bound themselves.
            Some(Closing::Draining { until })
                if !self.session.groups.has_push_consumers() && (self.is_drained() || until <= now.mono) =>
            {
                self.abandon(now, |_| true);
                self.session.closing = Some(Closing::Leaving { until: now.mono + FAREWELL });
                self.session.leave_all(now);
                self.close_if_done(now);
            }
            Some(Closing::Leaving { until }) if until <= now.mono || self.session.greetings.farewells == 0 => {
                self.end();
            }
            _ => {}
        }
    }

    /// Ends the client at once, because nobody drives it any more: whatever is under way fails with
    /// [`ErrorKind::Closed`], and nobody outside is told anything. [`Event::Closed`] follows.
    pub fn abort(&mut self, now: Now) {
        if self.session.is_closed() {
            return;
        }
        // What ends here begins nothing new.
        self.session.closing = Some(Closing::Leaving { until: now.mono });
        self.abandon(now, |_| true);
        self.abort_push_consumers(now);
        self.end();
    }

    fn end(&mut self) {
        self.session.closing = Some(Closing::Closed);
        self.session.creations.clear();
        self.session.calls = NameServerCalls::default();
        for peer in self.session.network.ids() {
            self.session.network.with(peer, |connection| connection.close("the client is closed"));
        }
        self.session.events.push_back(Event::Closed);
    }

    /// Whether nothing is under way any more.
    fn is_drained(&self) -> bool {
        self.operations.len() == 0
    }

    /// Fails the operations that `which` picks.
    fn abandon(&mut self, now: Now, which: impl Fn(&Operation) -> bool) {
        for id in self.operations.ids() {
            let is_asked = self.askers.get(id.slot()).is_some_and(Option::is_some);
            let Some(operation) = self.operations.get(id).filter(|operation| which(operation)) else {
                continue;
            };
            let outcome = Err(Error::new(ErrorKind::Closed, "the client"));
            operation.note_over(&mut self.session, now, Some(&outcome));
            if self.remove(id) && !is_asked {
                self.session.events.push_back(Event::Completed { operation: id, outcome });
            }
        }
    }
}
