//! Who asked for an operation that is none of the application's, and how it is told the outcome.

use crate::client::base::ids::PushConsumerId;
use crate::client::base::value::{Given, Outcome};
use crate::consumer::push::PushConsumer;
use crate::consumer::push::asked::{self, Asked};
use crate::time::Now;

/// Who asked for an operation that is none of the application's.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) consumer: PushConsumerId,
    pub(crate) asked: Awaited,
}

/// Makes what is awaited of the kinds of questions that push consumers have.
macro_rules! kinds {
    ($($kind:ident)*) => {
        /// What a push consumer has asked, and awaits.
        #[derive(Debug)]
        pub(crate) enum Awaited {
            $($kind(asked::$kind),)*
        }

        $(impl From<asked::$kind> for Awaited {
            fn from(asked: asked::$kind) -> Self {
                Self::$kind(asked)
            }
        })*

        impl Awaited {
            /// Whether an offset of the group's is being committed.
            pub(crate) const fn is_commit(&self) -> bool {
                matches!(self, Self::Commit(_) | Self::EndCommitted(_))
            }

            /// Tells a consumer what came of it.
            pub(crate) fn answer(self, consumer: &mut PushConsumer, now: Now, outcome: Outcome) {
                match self {
                    $(Self::$kind(asked) => asked.take(consumer, now, Given::read(outcome)),)*
                }
            }
        }
    };
}

kinds! { Queues Members Check End EndOffset EndCommitted GroupOffset FormerOffset FirstOffset Pull OvertakenPull Commit Lock Unlock SendBack }
