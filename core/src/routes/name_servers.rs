//! Which name server to ask.
//!
//! One is kept as long as it answers, as Java does (`NettyRemotingClient.getAndCreateNameserverChannel`). Unlike Java,
//! a call goes on to the next one when the first fails, and one that failed is passed over for a while.

use crate::address::Address;
use crate::random::Random;
use crate::time::{Duration, Instant};

/// How long a name server that failed is passed over while there are others.
const SKIP: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct NameServer {
    address: Address,
    skip_until: Instant,
    /// It gave the last answer that was wanted of it.
    answers: bool,
}

/// The name servers of a cluster.
#[derive(Debug)]
pub(crate) struct NameServers {
    servers: Vec<NameServer>,
    chosen: usize,
}

impl NameServers {
    /// Starts with a server that chance chooses, so that many clients spread.
    pub(crate) fn new(addresses: Vec<Address>, random: &mut Random) -> Self {
        let mut name_servers = Self { servers: Vec::new(), chosen: 0 };
        name_servers.replace(addresses, random);
        name_servers
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.servers.iter().map(|server| &server.address)
    }

    pub(crate) const fn len(&self) -> usize {
        self.servers.len()
    }

    /// Takes a new list; what is known of servers that stay is kept.
    pub(crate) fn replace(&mut self, addresses: Vec<Address>, random: &mut Random) {
        let current = self.servers.get(self.chosen).map(|server| server.address.clone());
        let old = core::mem::take(&mut self.servers);
        for address in addresses {
            if self.servers.iter().any(|server| server.address == address) {
                continue;
            }
            let known = old.iter().find(|server| server.address == address);
            let skip_until = known.map_or(Instant::default(), |server| server.skip_until);
            let answers = known.is_some_and(|server| server.answers);
            self.servers.push(NameServer { address, skip_until, answers });
        }
        let stays = current.and_then(|current| self.servers.iter().position(|server| server.address == current));
        self.chosen = stays.unwrap_or_else(|| random.below(self.servers.len() as u64) as usize);
    }

    /// The server to ask, none of those in `tried`: the chosen one, else the next that is not to be skipped, else
    /// the one whose skipping ends first.
    pub(crate) fn choose(&self, now: Instant, tried: &[Address]) -> Option<Address> {
        let count = self.servers.len();
        let in_order = || (0..count).map(|step| &self.servers[(self.chosen + step) % count]);
        let untried = || in_order().filter(|server| !tried.contains(&server.address));
        let server = untried().find(|server| server.skip_until <= now);
        server.or_else(|| untried().min_by_key(|server| server.skip_until)).map(|server| server.address.clone())
    }

    /// Whether `address` failed a moment ago, so that others are asked first.
    pub(crate) fn is_skipped(&self, now: Instant, address: &Address) -> bool {
        self.servers.iter().any(|server| server.address == *address && server.skip_until > now)
    }

    /// `address` gave an answer: it is asked first from now on.
    pub(crate) fn note_answer(&mut self, address: &Address) {
        if let Some(at) = self.servers.iter().position(|server| server.address == *address) {
            self.chosen = at;
            self.servers[at].skip_until = Instant::default();
            self.servers[at].answers = true;
        }
    }

    /// `address` gave none: the others are asked first for a while. Returns whether it had answered until now.
    pub(crate) fn note_failure(&mut self, now: Instant, address: &Address) -> bool {
        let count = self.servers.len();
        let Some(at) = self.servers.iter().position(|server| server.address == *address) else {
            return false;
        };
        self.servers[at].skip_until = now + SKIP;
        if at == self.chosen && count > 1 {
            self.chosen = (at + 1) % count;
        }
        core::mem::take(&mut self.servers[at].answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(list: &str) -> (NameServers, Vec<Address>) {
        let addresses = crate::address::parse_list(list).unwrap();
        (NameServers::new(addresses.clone(), &mut Random::new(1)), addresses)
    }

    const T0: Instant = Instant::from_micros(1);

    #[test]
    fn the_one_that_answers_is_kept() {
        let (mut servers, all) = servers("a:1;b:1;c:1");
        for address in &all {
            servers.note_answer(address);
            assert_eq!(servers.choose(T0, &[]).as_ref(), Some(address));
        }
    }

    #[test]
    fn a_call_never_asks_one_twice() {
        let (servers, all) = servers("a:1;b:1;c:1");
        let mut tried = Vec::new();
        while let Some(address) = servers.choose(T0, &tried) {
            tried.push(address);
        }
        tried.sort();
        assert_eq!(tried, all);
    }

    #[test]
    fn a_dead_one_is_skipped_for_a_while_and_used_when_there_is_no_other() {
        let (mut servers, all) = servers("a:1;b:1");
        servers.note_answer(&all[0]);
        assert!(servers.note_failure(T0, &all[0]), "it had answered");
        assert!(!servers.note_failure(T0, &all[0]), "it is lost once");
        assert!(!servers.note_failure(T0 + Duration::from_secs(1), &all[1]), "it never answered");
        assert_eq!(servers.choose(T0 + Duration::from_secs(2), &[]).as_ref(), Some(&all[0]));
        assert_eq!(servers.choose(T0 + SKIP, &[]).as_ref(), Some(&all[0]));
        servers.note_answer(&all[1]);
        servers.note_failure(T0 + SKIP, &all[0]);
        assert_eq!(servers.choose(T0 + SKIP, &[]).as_ref(), Some(&all[1]));
        assert_eq!(servers.choose(T0 + SKIP, &all[1..]).as_ref(), Some(&all[0]));
    }

    #[test]
    fn a_new_list_keeps_the_chosen_one_if_it_can() {
        let (mut servers, all) = servers("a:1;b:1");
        servers.note_answer(&all[1]);
        servers.replace(crate::address::parse_list("c:1;b:1;b:1").unwrap(), &mut Random::new(2));
        assert_eq!((servers.len(), servers.choose(T0, &[])), (2, Some(all[1].clone())));
    }

    #[test]
    fn of_a_new_list_those_count_as_lost_that_answered_before_and_none_that_is_new() {
        let (mut servers, all) = servers("a:1;b:1");
        servers.note_answer(&all[0]);
        let new = crate::address::parse_list("c:1;b:1;a:1").unwrap();
        servers.replace(new.clone(), &mut Random::new(2));
        let lost = new.iter().map(|address| servers.note_failure(T0, address));
        assert_eq!(lost.collect::<Vec<_>>(), [false, false, true]);
    }
}
