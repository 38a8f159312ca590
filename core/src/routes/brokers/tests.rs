//! Brokers that come, move and go, and which member of one to read from.

use super::*;

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn broker(name: &str, addresses: &[(u64, &str)]) -> RouteBroker {
    let addresses = addresses.iter().map(|(id, text)| (*id, address(text))).collect();
    RouteBroker { name: name.into(), cluster: String::new(), addresses }
}

#[test]
fn a_broker_that_moves_stays_the_same_broker() {
    let mut brokers = Brokers::default();
    let id = brokers.learn(&broker("a", &[(0, "old:1"), (1, "slave:1")]));
    assert_eq!(brokers.learn(&broker("a", &[(0, "new:1")])), id);
    let known = brokers.find("a").unwrap();
    assert_eq!(known.master(), Some(&address("new:1")));
    assert_eq!(known.addresses.len(), 1);
    assert_eq!(brokers.iter().count(), 1);
}

#[test]
fn a_broker_that_no_route_names_is_forgotten_and_comes_back_as_another() {
    let mut brokers = Brokers::default();
    let gone = brokers.learn(&broker("gone", &[(0, "g:1")]));
    let stays = brokers.learn(&broker("stays", &[(0, "s:1")]));
    brokers.retain(&BTreeSet::from([stays]));
    assert!(brokers.get(gone).is_none() && brokers.id_of("gone").is_none());
    assert_eq!(brokers.id_of("stays"), Some(stays));
    let back = brokers.learn(&broker("gone", &[(0, "g:1")]));
    assert_ne!(back, gone);
    assert!(brokers.get(gone).is_none() && brokers.get(back).is_some());
}

#[test]
fn the_suggested_member_is_read_from_else_the_next_slave_else_any() {
    let mut brokers = Brokers::default();
    let member =
        |brokers: &Brokers, suggested| brokers.find("a").and_then(|broker| broker.readable(suggested).cloned());
    brokers.learn(&broker("a", &[(0, "m:1"), (1, "s:1"), (3, "s:3")]));
    for (suggested, chosen) in [(0, "m:1"), (1, "s:1"), (2, "s:3"), (3, "s:3"), (4, "m:1"), (u64::MAX, "m:1")] {
        assert_eq!(member(&brokers, suggested), Some(address(chosen)), "{suggested}");
    }
    // Without a master a slave answers.
    brokers.learn(&broker("a", &[(2, "s:2")]));
    assert_eq!(member(&brokers, 0), Some(address("s:2")));
    brokers.learn(&broker("a", &[]));
    assert_eq!(member(&brokers, 0), None);
    assert_eq!(brokers.find("a").and_then(Broker::master), None);
}
