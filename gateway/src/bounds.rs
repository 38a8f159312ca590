//! How many may come: in all, from one address, and in a second.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

impl Places {
    pub(crate) fn new(most: usize, most_of_one: usize) -> Self {
        Self { counts: Arc::default(), most, most_of_one }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for somebody of whom nothing is known yet.
    pub(crate) fn take(&self) -> Option<Place> {
        let mut counts = self.counts();
        if counts.all >= self.most {
            return None;
        }
        counts.all += 1;
        Some(Place { places: self.clone(), address: None })
    }

    /// How many are there.
    pub(crate) fn taken(&self) -> usize {
        self.counts().all
    }
}

impl Place {
    /// Says whose place it is. Whether that address has not too many.
    pub(crate) fn claim(&mut self, address: IpAddr) -> bool {
        let address = by_who(address);
        let mut counts = self.places.counts();
        let count = counts.by_address.entry(address).or_default();
        if *count >= self.places.most_of_one {
            return false;
        }
        *count += 1;
        self.address = Some(address);
        true
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
pub(crate) struct Rate {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Rate {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second: f64::from(per_second), left: f64::from(per_second), at: now }
    }

    /// Whether there is one more.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let gained = now.duration_since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + gained).min(self.per_second);
        self.at = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn places_are_free_again_when_they_are_left() {
        let places = Places::new(3, 2);
        let claimed = |address: &str| {
            let mut place = places.take()?;
            place.claim(address.parse().unwrap()).then_some(place)
        };
        let (first, second) = (claimed("10.0.0.1"), claimed("::ffff:10.0.0.1"));
        assert!(first.is_some() && second.is_some());
        assert!(claimed("10.0.0.1").is_none(), "two of one address");
        let third = claimed("fd00::1");
        assert!(third.is_some() && places.take().is_none(), "three in all");
        drop(first);
        assert_eq!(places.taken(), 2);
        assert!(claimed("10.0.0.1").is_some());
        drop((second, third));
        assert_eq!(places.taken(), 0);
        assert!(places.counts().by_address.is_empty());
    }

    #[test]
    fn neighbours_in_a_network_of_ipv6_are_one() {
        let places = Places::new(9, 1);
        let mut place = places.take().unwrap();
        assert!(place.claim("fd00::1".parse().unwrap()));
        assert!(!places.take().unwrap().claim("fd00::2".parse().unwrap()));
        assert!(places.take().unwrap().claim("fd00:0:0:1::1".parse().unwrap()));
    }

    #[test]
    fn a_rate_gives_so_many_at_once_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(10, start);
        let taken = |rate: &mut Rate, at| (0..100).filter(|_| rate.take(at)).count();
        assert_eq!(taken(&mut rate, start), 10);
        assert_eq!(taken(&mut rate, start + Duration::from_millis(500)), 5);
        assert_eq!(taken(&mut rate, start + Duration::from_secs(3600)), 10);
    }
}
