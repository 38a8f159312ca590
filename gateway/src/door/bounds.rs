//! How many may come: in all, from one address, and in a second.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts who is there. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    counts: Arc<Mutex<Counts>>,
    most: usize,
    most_of_one: usize,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// A place among all. Dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    address: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Of all.
    All,
    /// Of those that one address may have.
    Address,
}

impl Places {
    pub(crate) fn new(most: usize, most_of_one: usize) -> Self {
        Self { counts: Arc::default(), most, most_of_one }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for somebody at this address, or for whom a proxy brings, who has still to be [claimed](Place::claim) for.
    pub(crate) fn take(&self, address: Option<IpAddr>) -> Result<Place, Full> {
        {
            let mut counts = self.counts();
            if counts.all >= self.most {
                return Err(Full::All);
            }
            counts.all += 1;
        }
        let mut place = Place { places: self.clone(), address: None };
        address.map_or(Ok(()), |address| place.claim(address))?;
        Ok(place)
    }

    /// How many are there.
    pub(crate) fn taken(&self) -> usize {
        self.counts().all
    }
}

impl Place {
    /// Says whose place it is, if that is not known yet. Fails if that address has too many.
    pub(crate) fn claim(&mut self, address: IpAddr) -> Result<(), Full> {
        if self.address.is_some() {
            return Ok(());
        }
        let address = by_who(address);
        let mut counts = self.places.counts();
        let count = counts.by_address.entry(address).or_default();
        if *count >= self.places.most_of_one {
            return Err(Full::Address);
        }
        *count += 1;
        self.address = Some(address);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.counts();
        counts.all -= 1;
        if let Some(address) = self.address
            && let Some(count) = counts.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&address);
            }
        }
    }
}

/// Who has an IPv6 address has the 2^64 beside it.
fn by_who(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// So many a second, and no more than that at once.
#[derive(Debug)]
struct Rate {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Rate {
    fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second: f64::from(per_second), left: f64::from(per_second), at: now }
    }

    /// How many there may be now.
    fn left(&mut self, now: Instant) -> f64 {
        let gained = now.duration_since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + gained).min(self.per_second);
        self.at = now;
        self.left
    }
}

/// How many may come in a second: in all, and from one address.
#[derive(Debug)]
pub(crate) struct Arrivals {
    all: Rate,
    of_one: u32,
    /// Who has come lately: no more than come in a few seconds.
    by_address: BTreeMap<IpAddr, Rate>,
    swept: Instant,
}

impl Arrivals {
    pub(crate) fn new(all: u32, of_one: u32, now: Instant) -> Self {
        Self { all: Rate::new(all, now), of_one, by_address: BTreeMap::new(), swept: now }
    }

    /// Whether one more may come: from this address, or by a proxy, which brings many. Who may not takes nothing of what others have.
    pub(crate) fn take(&mut self, address: Option<IpAddr>, now: Instant) -> bool {
        self.sweep(now);
        if self.all.left(now) < 1.0 {
            return false;
        }
        if let Some(address) = address.map(by_who) {
            let one = self.by_address.entry(address).or_insert_with(|| Rate::new(self.of_one, now));
            if one.left(now) < 1.0 {
                return false;
            }
            one.left -= 1.0;
        }
        self.all.left -= 1.0;
        true
    }

    /// Forgets those who may have all again, now and then.
    fn sweep(&mut self, now: Instant) {
        if now.duration_since(self.swept) >= Duration::from_secs(1) {
            self.swept = now;
            self.by_address.retain(|_, rate| rate.left(now) < rate.per_second);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_free_again_when_they_are_left() {
        let places = Places::new(3, 2);
        let claimed = |address: &str| places.take(Some(ip(address)));
        let (first, second) = (claimed("10.0.0.1"), claimed("::ffff:10.0.0.1"));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(claimed("10.0.0.1").unwrap_err(), Full::Address);
        let third = claimed("fd00::1");
        assert!(third.is_ok());
        assert_eq!(places.take(None).unwrap_err(), Full::All);
        drop(first);
        assert_eq!(places.taken(), 2);
        assert!(claimed("10.0.0.1").is_ok());
        drop((second, third));
        assert_eq!(places.taken(), 0);
        assert!(places.counts().by_address.is_empty());
    }

    #[test]
    fn whom_a_proxy_brings_has_a_place_of_his_own_address() {
        let places = Places::new(9, 1);
        let mut brought = places.take(None).unwrap();
        assert_eq!(brought.claim(ip("10.0.0.1")), Ok(()));
        assert_eq!(places.take(None).unwrap().claim(ip("10.0.0.1")), Err(Full::Address));
        assert_eq!(brought.claim(ip("10.0.0.1")), Ok(()), "he has it");
        drop(brought);
        assert_eq!(places.taken(), 0);
        assert!(places.counts().by_address.is_empty());
    }

    #[test]
    fn neighbours_in_a_network_of_ipv6_are_one() {
        let places = Places::new(9, 1);
        let first = places.take(Some(ip("fd00::1")));
        assert!(first.is_ok());
        assert_eq!(places.take(Some(ip("fd00::2"))).unwrap_err(), Full::Address);
        assert!(places.take(Some(ip("fd00:0:0:1::1"))).is_ok());
    }

    /// How many of a hundred may come.
    fn taken(arrivals: &mut Arrivals, address: Option<&str>, at: Instant) -> usize {
        (0..100).filter(|_| arrivals.take(address.map(ip), at)).count()
    }

    #[test]
    fn so_many_come_at_once_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(10, 99, start);
        assert_eq!(taken(&mut arrivals, None, start), 10);
        assert_eq!(taken(&mut arrivals, Some("10.0.0.1"), start + Duration::from_millis(500)), 5);
        assert_eq!(taken(&mut arrivals, None, start + Duration::from_secs(3600)), 10);
    }

    #[test]
    fn one_address_leaves_something_for_all_others() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(10, 4, start);
        assert_eq!(taken(&mut arrivals, Some("10.0.0.1"), start), 4);
        assert_eq!(taken(&mut arrivals, Some("fd00::1"), start), 4);
        assert_eq!(taken(&mut arrivals, Some("fd00::2"), start), 0, "a neighbour is the same");
        assert_eq!(taken(&mut arrivals, None, start), 2, "who is refused uses up nothing");
        let later = start + Duration::from_millis(500);
        assert_eq!(taken(&mut arrivals, Some("10.0.0.1"), later), 2);
        assert_eq!(arrivals.by_address.len(), 2);
        arrivals.take(None, start + Duration::from_secs(9));
        assert!(arrivals.by_address.is_empty(), "who has come long ago is forgotten");
    }
}
