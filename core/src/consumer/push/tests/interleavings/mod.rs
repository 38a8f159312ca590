//! Whatever the order in which brokers act and answer, the application settles, pauses and changes its mind, and members,
//! connections and administrators come and go: no queue is ever idle without a reason; nothing is committed that is not
//! settled; nothing orderly is delivered or committed without the broker's lock, or out of order; no more is fetched than
//! may be; an application that follows its queues hears of each in turn, and nothing is delivered or committed of one that it is
//! still at; in the end everything is settled and committed; and a consumer that has closed keeps no lock.

mod checks;
mod cluster;
mod play;
mod step;

use proptest::prelude::*;

use play::Play;
use step::{Kind, Step, kind, step};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn no_queue_is_idle_without_a_reason_nothing_unsettled_is_committed_and_in_the_end_all_is_done(
        kind in kind(),
        steps in proptest::collection::vec(step(), 0..400),
    ) {
        let mut play = Play::new(kind);
        for step in steps {
            play.take(step);
        }
        play.finish();
    }

    #[test]
    fn a_consumer_that_closes_at_any_moment_ends_in_its_time_and_keeps_no_lock(
        kind in kind(),
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut play = Play::new(kind);
        for step in steps {
            play.take(step);
        }
        play.close();
    }
}

/// As the second of the above has found both.
#[test]
fn a_lock_that_is_granted_once_more_while_it_is_being_given_back_goes_back_at_once() {
    for last in [Step::Answer(1), Step::Fail(1, true)] {
        let mut play = Play::new(Kind {
            is_orderly: true,
            auto_commit: false,
            gives_up: false,
            from_last: true,
            broadcasts: false,
            claims: false,
            follows: false,
        });
        play.take(Step::Route(1));
        play.take(Step::Pass(1));
        // The queues, and the members: then the lock is asked for.
        play.take(Step::Answer(0));
        play.take(Step::Answer(1));
        // The connection ends before that is written, so that it waits for the next one; it is asked for once more.
        play.take(Step::Disconnect);
        play.take(Step::Unsubscribe);
        // The second question is answered first: the lock goes back, and the broker takes it.
        play.take(Step::Answer(2));
        play.take(Step::Do(2));
        // Then the broker sees to the first question, and grants it again; it may be that nobody hears of that.
        play.take(last);
        play.answer_all();
        assert!(play.broker[&0].lock.is_none(), "nobody gives it back: {:?}", play.broker[&0].lock);
    }
}
