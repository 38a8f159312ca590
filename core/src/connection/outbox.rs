//! Bytes on their way to one peer.

use core::fmt;
use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// A body of this many bytes or more is written from where it lies; a shorter one is copied behind its header, since
/// one long write is cheaper than two short ones.
const COPY_BELOW: usize = 4096;

/// Encoded frames in the order they were asked for: headers and small bodies joined, large bodies where they lie.
///
/// A host swaps it with an empty one of its own and writes that through [`Buf`].
#[derive(Default)]
pub struct Outbox {
    joined: BytesMut,
    /// Large bodies, each with the number of joined bytes that go before it.
    large: VecDeque<(usize, Bytes)>,
    /// How many joined bytes go before some large body.
    placed: usize,
    large_bytes: usize,
    /// Large bodies that are written, and not dropped yet.
    written: Vec<Bytes>,
}

impl Outbox {
    /// The buffer that frames are encoded into.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.joined
    }

    /// Appends a body.
    pub(crate) fn push_body(&mut self, body: &Bytes) {
        if body.len() < COPY_BELOW {
            self.joined.extend_from_slice(body);
        } else {
            self.large.push_back((self.joined.len() - self.placed, body.clone()));
            self.placed = self.joined.len();
            self.large_bytes += body.len();
        }
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.joined.len() + self.large_bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.large.is_empty()
    }

    /// Whether bodies of the application lie in it, and no copies of them.
    pub(crate) fn holds_bodies(&self) -> bool {
        !self.large.is_empty()
    }

    /// The bodies that are written by now, one by one: dropping them may run their owner's code.
    pub fn take_written(&mut self) -> Option<Bytes> {
        self.written.pop()
    }

    /// Nothing of it is written any more: [`take_written`](Self::take_written) gives all bodies.
    pub fn give_up(&mut self) {
        self.written.extend(self.large.drain(..).map(|(_, body)| body));
        (self.placed, self.large_bytes) = (0, 0);
        self.joined.clear();
    }

    /// Forgets everything, keeping the allocation for the next frames.
    pub fn clear(&mut self) {
        self.joined.clear();
        self.written.clear();
        self.large.clear();
        self.placed = 0;
        self.large_bytes = 0;
    }
}

/// Not the bytes: among them are signatures and security tokens.
impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        match self.large.front() {
            Some((0, body)) => body,
            Some((before, _)) => &self.joined[..*before],
            None => &self.joined,
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        let mut joined = &self.joined[..];
        for (before, body) in &self.large {
            let (head, tail) = joined.split_at(*before);
            joined = tail;
            for piece in [head, body] {
                if !piece.is_empty() && used < slices.len() {
                    slices[used] = IoSlice::new(piece);
                    used += 1;
                }
            }
        }
        if !joined.is_empty() && used < slices.len() {
            slices[used] = IoSlice::new(joined);
            used += 1;
        }
        used
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            match self.large.front_mut() {
                Some((0, body)) => {
                    let step = count.min(body.len());
                    body.advance(step);
                    self.large_bytes -= step;
                    count -= step;
                    if body.is_empty() {
                        self.written.extend(self.large.pop_front().map(|(_, body)| body));
                    }
                }
                Some((before, _)) => {
                    let step = count.min(*before);
                    *before -= step;
                    self.placed -= step;
                    self.joined.advance(step);
                    count -= step;
                }
                None => {
                    self.joined.advance(count);
                    count = 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(mut outbox: Outbox, step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while outbox.has_remaining() {
            let take = outbox.chunk().len().min(step);
            assert!(take > 0);
            bytes.extend_from_slice(&outbox.chunk()[..take]);
            outbox.advance(take);
        }
        bytes
    }

    fn filled() -> (Outbox, Vec<u8>) {
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for (length, fill) in [(3, 1_u8), (COPY_BELOW, 2), (COPY_BELOW - 1, 3), (2 * COPY_BELOW, 4), (COPY_BELOW, 5)] {
            outbox.buffer().extend_from_slice(&[fill | 0x80; 7]);
            outbox.push_body(&Bytes::from(vec![fill; length]));
            expected.extend_from_slice(&[fill | 0x80; 7]);
            expected.extend(vec![fill; length]);
        }
        (outbox, expected)
    }

    #[test]
    fn bytes_leave_in_the_order_they_came_however_they_are_taken() {
        for step in [1, 6, 4096, usize::MAX] {
            let (outbox, expected) = filled();
            assert_eq!(outbox.len(), expected.len());
            assert_eq!(written(outbox, step), expected);
        }
    }

    #[test]
    fn large_bodies_are_not_copied() {
        let (outbox, expected) = filled();
        let mut slices = [IoSlice::new(&[]); 16];
        let used = outbox.chunks_vectored(&mut slices);
        assert_eq!(used, 6);
        assert_eq!(slices[..used].iter().map(|slice| slice.len()).sum::<usize>(), expected.len());
    }
}
