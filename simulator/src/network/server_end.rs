//! The server's end of a link: it is taken or refused, written to, closed or reset.

use std::net::SocketAddr;

use bytes::Bytes;
use stgclient_core::time::Duration;

use super::super::course::Course;
use super::Network;
use super::link::{Direction, Item, LinkId, Stage};

impl Network {
    /// The attempt to open a link is decided. Gives the address that has to accept it, and who comes.
    pub(in super::super) fn opened(&mut self, course: &mut Course, id: LinkId) -> Option<(String, SocketAddr)> {
        let link = self.links.get(&id)?;
        let Stage::Opening { is_refused } = link.stage else {
            return None;
        };
        if self.is_cut_off(link) || self.is_down(link, Direction::ToServer) {
            return None;
        }
        let (address, client) = (link.address.to_string(), link.client);
        if is_refused {
            self.refuse(course, id);
            return None;
        }
        Some((address, client))
    }

    /// The server takes the link.
    pub(in super::super) fn accept(&mut self, course: &mut Course, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            course.note("accepted", id, &[]);
            link.stage = Stage::Open;
            course.wake(link.reader.take());
            course.wake(link.writer.take());
        }
    }

    /// Nobody takes the link.
    pub(in super::super) fn refuse(&mut self, course: &mut Course, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            course.note("refused", id, &[]);
            link.is_left_by_server = true;
            link.end(course, "connection refused");
        }
    }

    /// The server sends bytes, which wait until there is room for them.
    pub(in super::super) fn server_writes(&mut self, course: &mut Course, id: LinkId, bytes: Bytes) {
        if let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_left_by_server) {
            course.note("server writes", id, &bytes);
            link.backlog.push_back(bytes);
            self.flush(course, id);
        }
    }

    /// The server closes its end once everything is sent.
    pub(in super::super) fn server_closes(&mut self, course: &mut Course, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_left_by_server) {
            course.note("server closes", id, &[]);
            link.closes = true;
            self.flush(course, id);
        }
    }

    /// The server's machine has lost its power: nobody hears of it.
    pub(in super::super) fn server_vanishes(&mut self, course: &mut Course, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_left_by_server) {
            course.note("server vanishes", id, &[]);
            link.backlog.clear();
            link.is_left_by_server = true;
            self.forget_if_left(id);
        }
    }

    /// The server is gone, and with it what it has not sent.
    pub(in super::super) fn server_resets(&mut self, course: &mut Course, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_left_by_server) {
            course.note("server resets", id, &[]);
            link.backlog.clear();
            link.is_left_by_server = true;
            self.put(course, id, Direction::ToClient, Item::Reset, Duration::ZERO);
            self.forget_if_left(id);
        }
    }
}
