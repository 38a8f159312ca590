//! What may happen, and to what kind of consumer.

use proptest::prelude::*;

use super::play::{MESSAGES, QUEUES};

/// What happens next. Numbers pick one of those that there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Pass(u64),
    /// The process stands still for longer than locks count.
    StandStill,
    /// A broker does what it is asked, and does not answer yet.
    Do(usize),
    /// One of the questions is answered.
    Answer(usize),
    /// One of the questions fails; what it asked for has been done, or not.
    Fail(usize, bool),
    /// A broker is too busy for one of the questions.
    Refuse(usize),
    /// A batch is opened.
    Open(usize),
    Deliver(usize),
    Succeed(usize),
    /// It is consumed, and committed by a later one.
    SucceedUncommitted(usize),
    /// It fails, or an orderly queue rests.
    Retry(usize),
    /// It is to come again behind others, also if it was in order.
    SendBack(usize),
    /// What is not committed yet is to be delivered again.
    RollBack(usize),
    /// Another member comes or goes.
    Other(bool),
    /// The connection to the broker ends.
    Disconnect,
    /// The broker grants locks, or does not.
    Grant(bool),
    Pause(bool),
    PauseQueue(u32, bool),
    Subscribe(bool),
    /// Nothing is wanted of the topic any more, until it is subscribed to again.
    Unsubscribe,
    /// The topic's route has so many queues from now on.
    Route(u32),
    /// The topic exists no more, or again.
    Gone(bool),
    /// An administrator sets the group's offset.
    Reset(u32, u64),
    Send(u32),
    /// The application is done with queues that it was told of.
    Rebalanced(usize),
    Close,
    /// The program is about to stand still, and goes on at once all the same.
    GiveUp,
    /// It has stood still for so long that brokers have forgotten it.
    BeginAnew,
    /// A part of a delivery is settled, and then the rest.
    Part(usize, usize, bool),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u64..6000).prop_map(Step::Pass),
        1 => Just(Step::StandStill),
        1 => Just(Step::GiveUp),
        1 => Just(Step::BeginAnew),
        4 => any::<usize>().prop_map(Step::Do),
        24 => any::<usize>().prop_map(Step::Answer),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(number, is_done)| Step::Fail(number, is_done)),
        1 => any::<usize>().prop_map(Step::Refuse),
        6 => any::<usize>().prop_map(Step::Open),
        16 => (0_usize..7).prop_map(Step::Deliver),
        14 => any::<usize>().prop_map(Step::Succeed),
        4 => any::<usize>().prop_map(Step::SucceedUncommitted),
        4 => any::<usize>().prop_map(Step::Retry),
        2 => any::<usize>().prop_map(Step::SendBack),
        1 => any::<usize>().prop_map(Step::RollBack),
        2 => any::<bool>().prop_map(Step::Other),
        2 => Just(Step::Disconnect),
        2 => any::<bool>().prop_map(Step::Grant),
        2 => any::<bool>().prop_map(Step::Pause),
        2 => (0..QUEUES, any::<bool>()).prop_map(|(queue, is_paused)| Step::PauseQueue(queue, is_paused)),
        2 => any::<bool>().prop_map(Step::Subscribe),
        1 => Just(Step::Unsubscribe),
        2 => (0..=QUEUES).prop_map(Step::Route),
        1 => any::<bool>().prop_map(Step::Gone),
        1 => (0..QUEUES, 0..MESSAGES).prop_map(|(queue, offset)| Step::Reset(queue, offset)),
        3 => (0..QUEUES).prop_map(Step::Send),
        6 => any::<usize>().prop_map(Step::Rebalanced),
        6 => (any::<usize>(), any::<usize>(), any::<bool>()).prop_map(|(a, b, c)| Step::Part(a, b, c)),
    ]
}

/// How the consumer is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) is_orderly: bool,
    pub(super) auto_commit: bool,
    /// What fails twice in order goes to the dead letters.
    pub(super) gives_up: bool,
    pub(super) from_last: bool,
    pub(super) broadcasts: bool,
    /// In order by allocation alone.
    pub(super) claims: bool,
    /// The application is told of its queues.
    pub(super) follows: bool,
}

pub(super) fn kind() -> impl Strategy<Value = Kind> {
    any::<[bool; 7]>().prop_map(|[is_orderly, auto_commit, gives_up, from_last, broadcasts, claims, follows]| Kind {
        claims: claims && is_orderly && !broadcasts,
        broadcasts,
        is_orderly,
        auto_commit: auto_commit || !is_orderly,
        gives_up,
        from_last,
        follows,
    })
}
