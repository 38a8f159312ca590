//! What a server has asked a visitor: an answer passes once, and only if there was a question. Java's servers take an answer by its number,
//! of whichever connection it comes (`NettyRemotingAbstract.processResponseCommand`), so it may be for what somebody else was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many questions are remembered. Servers ask little, and do not wait long.
const MOST: usize = 64;

/// The numbers of a server's questions that a visitor has not answered, the latest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Arc<Mutex<VecDeque<i32>>>);

impl Asked {
    /// The server asks.
    pub(crate) fn note(&self, opaque: i32) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() == MOST {
            open.pop_front();
        }
        open.push_back(opaque);
    }

    /// Whether the server waits for the answer of this number. From now on it does not.
    pub(crate) fn answered(&self, opaque: i32) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.iter().position(|known| *known == opaque);
        found.is_some_and(|at| open.remove(at).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_once_and_of_many_the_oldest_are_forgotten() {
        let asked = Asked::default();
        assert!(!asked.answered(7));
        (0..=MOST as i32).for_each(|opaque| asked.note(opaque));
        assert!(!asked.answered(0) && asked.answered(1) && !asked.answered(1) && asked.answered(MOST as i32));
    }
}
