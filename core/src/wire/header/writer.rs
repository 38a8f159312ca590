//! Writes small pieces behind each other into room made beforehand: asking a vector for room before each piece is what
//! a header would cost most.

/// Writes a piece, and gives the place behind it. Where the length is known it is no call, which is why it is part of its caller.
#[inline(always)]
pub(super) fn put_front<'o>(place: &'o mut [u8], piece: &[u8]) -> &'o mut [u8] {
    let (front, rest) = place.split_at_mut(piece.len());
    front.copy_from_slice(piece);
    rest
}

/// Room that is being written into.
#[derive(Debug)]
pub(in crate::wire) struct Writer<'o> {
    /// The room behind what has been written; empty once it was too little.
    rest: &'o mut [u8],
    room: usize,
    overflowed: bool,
}

impl<'o> Writer<'o> {
    #[inline]
    pub(in crate::wire) const fn new(room: &'o mut [u8]) -> Self {
        Self { room: room.len(), rest: room, overflowed: false }
    }

    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(in crate::wire) fn put(&mut self, piece: &[u8]) {
        if let Some(place) = self.take(piece.len()) {
            place.copy_from_slice(piece);
        }
    }

    /// Writes pieces behind each other, and looks once whether there is room.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(in crate::wire) fn put_all(&mut self, pieces: &[&[u8]]) {
        if let Some(mut place) = self.take(pieces.iter().map(|piece| piece.len()).sum()) {
            for piece in pieces {
                place = put_front(place, piece);
            }
        }
    }

    /// The next `length` bytes, to be written.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn take(&mut self, length: usize) -> Option<&'o mut [u8]> {
        let Some((place, rest)) = core::mem::take(&mut self.rest).split_at_mut_checked(length) else {
            self.overflowed = true;
            return None;
        };
        self.rest = rest;
        Some(place)
    }

    /// How many bytes have been written.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(in crate::wire) const fn written(&self) -> usize {
        self.room - self.rest.len()
    }

    /// How many bytes have been written; `None` when the room was too little.
    #[inline]
    pub(in crate::wire) const fn finish(self) -> Option<usize> {
        if self.overflowed { None } else { Some(self.written()) }
    }
}
