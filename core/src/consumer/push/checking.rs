//! Whether a broker takes what a subscription selects by (`MQClientInstance.checkClientInBroker`).
//!
//! Nothing is fetched before one does: a broker that cannot read an expression gives all messages there are
//! (`PullMessageProcessor`, whose assertion nobody checks in production).

use std::sync::Arc;

use super::PushConsumer;
use super::asked::{self, Ticket};
use super::wish::Wish;
use crate::consumer::MessageSelector;
use crate::error::{Error, ErrorKind};
use crate::notice::Notice;
use crate::time::Now;
use crate::wire::body::ExpressionType;
use crate::wire::code::ResponseCode;

/// How far the check of a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// It is to be asked, when there is a queue to ask about.
    Due,
    Asked(Ticket),
    /// A broker takes it, or it has nothing that could be refused.
    Passed,
}

impl Check {
    /// What a selector needs. Tags are read here.
    pub(super) fn of(selector: &MessageSelector) -> Self {
        if *selector.expression_type() == ExpressionType::Tag { Self::Passed } else { Self::Due }
    }
}

impl PushConsumer {
    /// Has a broker of a topic check what is selected by, if that is due: another one each time, since one may be away.
    pub(super) fn check_selector(&mut self, topic: &Arc<str>) {
        let ticket = self.next_ticket();
        if let Some(subscription) = self.subscriptions.get_mut(topic).filter(|known| known.check == Check::Due)
            && let Some(queue) = subscription.next_to_check().cloned()
        {
            subscription.check = Check::Asked(ticket);
            let selector = subscription.selector.clone();
            self.wish(Wish::Check { asked: asked::Check(topic.clone(), ticket), queue, selector });
        }
        self.note_check(topic);
    }

    /// Takes what a broker says of an expression. What it refuses is asked again with the next rebalance.
    pub(crate) fn take_checked(&mut self, now: Now, topic: &Arc<str>, ticket: Ticket, result: Result<(), Error>) {
        let known = self.subscriptions.get_mut(topic);
        if let Some(subscription) = known.filter(|known| known.check == Check::Asked(ticket)) {
            let is_unknown = |error: &Error| error.code() == Some(ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
            match result {
                Ok(()) => subscription.check = Check::Passed,
                // Then there is no telling.
                Err(error) if is_unknown(&error) => subscription.check = Check::Passed,
                Err(error) => {
                    subscription.check = Check::Due;
                    if error.kind() == ErrorKind::Refused && !error.is_busy() {
                        let notice = Notice::error("a broker does not take an expression: nothing is fetched by it");
                        self.notices.push(notice.about("topic", topic).about("error", error));
                    } else {
                        self.share_soon(now.mono, topic);
                    }
                }
            }
            self.note_check(topic);
        }
        self.attend(now);
    }

    /// Queues know whether they may be fetched from.
    fn note_check(&mut self, topic: &Arc<str>) {
        let is_unchecked = self.subscriptions.get(topic).is_some_and(|known| known.check != Check::Passed);
        for id in self.queues.of_topic(topic) {
            if self.queues.get(id).is_some_and(|known| known.is_unchecked != is_unchecked)
                && let Some(known) = self.queues.touch(id)
            {
                known.is_unchecked = is_unchecked;
            }
        }
    }
}
