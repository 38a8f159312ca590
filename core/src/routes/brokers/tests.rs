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
    let id = brokers.learn(&broker("a", &[(0, "old:1"), (1, "slave:1")]), &mut Vec::new());
    assert_eq!(brokers.learn(&broker("a", &[(0, "new:1")]), &mut Vec::new()), id);
    let known = brokers.find("a").unwrap();
    assert_eq!(known.master(), Some(&address("new:1")));
    assert_eq!(known.addresses.len(), 1);
    assert_eq!(brokers.iter().count(), 1);
}

#[test]
fn a_broker_that_no_route_names_is_forgotten_and_comes_back_as_another() {
    let mut brokers = Brokers::default();
    let gone = brokers.learn(&broker("gone", &[(0, "g:1")]), &mut Vec::new());
    let stays = brokers.learn(&broker("stays", &[(0, "s:1")]), &mut Vec::new());
    brokers.retain(&SortedSet::from([stays]));
    assert!(brokers.get(gone).is_none() && brokers.id_of("gone").is_none());
    assert_eq!(brokers.id_of("stays"), Some(stays));
    let back = brokers.learn(&broker("gone", &[(0, "g:1")]), &mut Vec::new());
    assert_ne!(back, gone);
    assert!(brokers.get(gone).is_none() && brokers.get(back).is_some());
}

#[test]
fn a_broker_is_lost_when_its_master_is_another_one_or_no_route_names_it() {
    let mut brokers = Brokers::default();
    let mut new = Vec::new();
    brokers.learn(&broker("a", &[(0, "m:1"), (1, "s:1")]), &mut new);
    brokers.learn(&broker("a", &[(0, "m:1"), (2, "s:2")]), &mut new);
    assert_eq!(new, [(0, address("m:1")), (1, address("s:1")), (2, address("s:2"))]);
    assert!(brokers.take_lost().is_empty(), "slaves come and go");
    assert_eq!(brokers.at(&address("s:2")).count(), 1);
    assert_eq!(brokers.at(&address("s:1")).count(), 0);
    brokers.learn(&broker("a", &[(0, "n:1")]), &mut new);
    assert_eq!(brokers.take_lost(), [Arc::from("a")]);
    brokers.learn(&broker("b", &[(0, "n:1")]), &mut new);
    let names: Vec<_> = brokers.at(&address("n:1")).map(|broker| broker.name.to_string()).collect();
    assert_eq!(names, ["a", "b"], "two at one address");
    brokers.learn(&broker("a", &[]), &mut new);
    assert_eq!(brokers.take_lost(), [Arc::from("a")]);
    brokers.retain(&SortedSet::new());
    assert_eq!(brokers.take_lost(), [Arc::from("b")], "one without a master was lost before");
}

#[test]
fn the_suggested_member_is_read_from_else_the_next_slave_else_any() {
    let mut brokers = Brokers::default();
    let member =
        |brokers: &Brokers, suggested| brokers.find("a").and_then(|broker| broker.readable(suggested).cloned());
    brokers.learn(&broker("a", &[(0, "m:1"), (1, "s:1"), (3, "s:3")]), &mut Vec::new());
    for (suggested, chosen) in [(0, "m:1"), (1, "s:1"), (2, "s:3"), (3, "s:3"), (4, "m:1"), (u64::MAX, "m:1")] {
        assert_eq!(member(&brokers, suggested), Some(address(chosen)), "{suggested}");
    }
    // Without a master a slave answers.
    brokers.learn(&broker("a", &[(2, "s:2")]), &mut Vec::new());
    assert_eq!(member(&brokers, 0), Some(address("s:2")));
    brokers.learn(&broker("a", &[]), &mut Vec::new());
    assert_eq!(member(&brokers, 0), None);
    assert_eq!(brokers.find("a").and_then(Broker::master), None);
}
