//! Finding a name server that answers, within one call.

use super::scene::{address, ms};
use super::servers::{Reach, Reply};
use super::*;
use crate::client::tests::scene::Scene;
use crate::time::Instant;
use crate::wire::code::{RequestCode, ResponseCode};

const ROUTE: RequestCode = RequestCode::GET_ROUTEINFO_BY_TOPIC;

fn connect(scene: &mut Scene) -> Result<(), Error> {
    let operation = scene.client.connect(scene.now);
    scene.wait(operation)
}

/// Scenes with name servers of these addresses, so many that each of them is the first to be asked in some.
fn scenes(name_servers: &str) -> Vec<Scene> {
    let config = || ClientConfig::new(parse_list(name_servers).expect("addresses"));
    let scenes: Vec<_> = (0..16)
        .map(|seed| {
            let mut scene = Scene::new(config(), seed);
            config().name_servers.iter().for_each(|address| _ = scene.server(address.as_str()));
            scene
        })
        .collect();
    scenes
}

fn first_asked(scene: &Scene) -> &str {
    scene.opened[0].1.as_str()
}

#[test]
fn any_answer_is_a_sign_of_life() {
    for knows_the_default_topic in [false, true] {
        let mut scene = scene_of(&[]);
        if knows_the_default_topic {
            scene.book.route("TBW102", &["a"], 8);
        }
        assert!(matches!(connect(&mut scene), Ok(())));
        assert_eq!(millis(&scene), 0);
    }
}

/// As `AdminBrokerProcessor` answers what only name servers know.
fn answers_as_brokers_do(scene: &mut Scene, address: &'static str) {
    let unknown = Reply::code(ResponseCode::REQUEST_CODE_NOT_SUPPORTED).remark(" request type 105 not supported");
    scene.on(address, ROUTE, move |_| Some(unknown.clone()));
}

#[test]
fn a_brokers_port_is_no_name_servers_which_the_error_says_at_once() {
    let mut config = ClientConfig::new(parse_list("broker:1").expect("addresses"));
    // Waiting does not make it one.
    config.wait_for_servers = ms(10_000);
    let mut scene = Scene::new(config, 1);
    scene.server("broker:1");
    answers_as_brokers_do(&mut scene, "broker:1");
    let error = connect(&mut scene).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotANameServer, false));
    assert_eq!(
        error.to_string(),
        "connect: this is a broker's port, or another server's: give a name server's address, whose port is 9876 mostly: \
         not a name server: REQUEST_CODE_NOT_SUPPORTED (3): request type 105 not supported (at broker:1)"
    );
    assert_eq!(millis(&scene), 0);
}

#[test]
fn a_brokers_port_among_name_servers_is_passed_over_and_blamed_only_when_all_are_such() {
    for (second, expected) in [(Reach::Accepts, None), (Reach::Refuses, Some(ErrorKind::NameServersUnavailable))] {
        for mut scene in scenes("broker:1;ns:1") {
            scene.server("ns:1").reach = second;
            answers_as_brokers_do(&mut scene, "broker:1");
            assert_eq!(connect(&mut scene).err().map(|error| error.kind()), expected);
        }
    }
    for mut scene in scenes("broker:1;broker:2") {
        ["broker:1", "broker:2"].into_iter().for_each(|address| answers_as_brokers_do(&mut scene, address));
        let error = connect(&mut scene).unwrap_err();
        assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::NotANameServer, 2), "{error}");
    }
}

#[test]
fn a_dead_name_server_costs_nothing_and_is_passed_over_for_a_while() {
    let mut firsts = Vec::new();
    for mut scene in scenes("dead:1;alive:1") {
        scene.server("dead:1").reach = Reach::Refuses;
        assert!(connect(&mut scene).is_ok());
        assert_eq!(millis(&scene), 0);
        let tries = |scene: &Scene| scene.opened.iter().filter(|(_, at)| *at == address("dead:1")).count();
        let before = tries(&scene);
        scene.run_for(ms(29_000));
        assert!(connect(&mut scene).is_ok());
        assert_eq!(tries(&scene), before);
        firsts.push(first_asked(&scene).to_owned());
    }
    assert!(firsts.contains(&"dead:1".to_owned()) && firsts.contains(&"alive:1".to_owned()));
}

#[test]
fn a_hung_name_server_takes_its_share_of_the_time_and_no_more() {
    for hangs in [Hangs::Mute, Hangs::Vanishes] {
        for mut scene in scenes("hung:1;alive:1;other:1") {
            hangs.make(&mut scene, "hung:1");
            assert!(connect(&mut scene).is_ok());
            // Three servers share three seconds.
            let expected = if first_asked(&scene) == "hung:1" { 1000 } else { 0 };
            assert_eq!(millis(&scene), expected);
        }
    }
}

#[derive(Clone, Copy)]
enum Hangs {
    Mute,
    Vanishes,
}

impl Hangs {
    fn make(self, scene: &mut Scene, at: &str) {
        match self {
            Self::Mute => scene.server(at).is_mute = true,
            Self::Vanishes => scene.server(at).reach = Reach::Vanishes,
        }
    }
}

#[test]
fn when_all_are_dead_one_error_says_what_each_did() {
    for mut scene in scenes("x:1;y:1") {
        scene.server("x:1").reach = Reach::Refuses;
        scene.server("y:1").is_mute = true;
        let error = error(connect(&mut scene));
        assert_eq!(error.kind(), ErrorKind::NameServersUnavailable);
        let mut attempts: Vec<_> = error.attempts().iter().map(|a| (a.address.clone(), a.outcome.clone())).collect();
        attempts.sort_by_key(|(address, _)| address.clone());
        let expected = [("x:1", "no connection: connection refused"), ("y:1", "no answer in time")];
        assert_eq!(attempts, expected.map(|(at, outcome)| (Some(address(at)), outcome.to_owned())));
        assert!(error.is_retryable() && millis(&scene) <= 3000);
    }
}

#[test]
fn when_all_hang_the_time_is_shared_and_kept() {
    for mut scene in scenes("x:1;y:1;z:1") {
        Hangs::Vanishes.make(&mut scene, "x:1");
        Hangs::Mute.make(&mut scene, "y:1");
        Hangs::Mute.make(&mut scene, "z:1");
        let error = error(connect(&mut scene));
        let after: Vec<_> = error.attempts().iter().map(|attempt| attempt.after.as_millis()).collect();
        assert_eq!((after, millis(&scene)), (vec![1000, 2000, 3000], 3000));
    }
}

#[test]
fn with_one_name_server_its_failure_is_the_error() {
    for (reach, reason) in [
        (Reach::Refuses, "connect: no name server answered: no connection: connection refused (at ns:1)"),
        (Reach::Vanishes, "connect: no name server answered: no connection: not connected within 3000 ms (at ns:1)"),
        (Reach::Accepts, "connect: no name server answered: no answer in time (at ns:1)"),
    ] {
        let mut scene = scene_of(&[]);
        scene.server("ns:1").reach = reach;
        scene.server("ns:1").is_mute = true;
        assert_eq!(error(connect(&mut scene)).to_string(), reason);
        assert!(millis(&scene) <= 3000);
    }
}

#[test]
fn a_name_server_that_is_away_says_why_in_the_next_call_too() {
    let mut scene = scene_of(&[]);
    scene.server("ns:1").reach = Reach::Refuses;
    connect(&mut scene).unwrap_err();
    // This call begins in the pause after the first, and its time is shorter than the pauses have become.
    scene.run_for(ms(1));
    for _ in 0..8 {
        let error = error(connect(&mut scene));
        assert!(error.to_string().contains("connection refused"), "{error}");
    }
}

#[test]
fn without_name_servers_nobody_is_waited_for() {
    let mut scene = scene_of(&[]);
    scene.client.handle_name_servers(scene.now, Vec::new());
    assert_eq!(kind(connect(&mut scene)), ErrorKind::NameServersUnavailable);
    assert_eq!(millis(&scene), 0);
}

#[test]
fn a_name_server_that_is_not_ready_is_passed_over() {
    for code in [ResponseCode::SYSTEM_ERROR, ResponseCode::SYSTEM_BUSY] {
        for mut scene in scenes("starting:1;alive:1") {
            scene.on("starting:1", ROUTE, move |_| Some(Reply::code(code).remark("not ready")));
            assert!(connect(&mut scene).is_ok());
            assert_eq!(scene.asked_of("alive:1", ROUTE).len(), 1);
        }
    }
    let mut scene = scene_of(&[]);
    scene.on("ns:1", ROUTE, |_| Some(Reply::code(ResponseCode::SYSTEM_BUSY).remark("try later")));
    let error = error(connect(&mut scene)).to_string();
    assert!(error.contains("SYSTEM_BUSY (2): try later"), "{error}");
}

#[test]
fn a_name_server_that_hangs_up_is_passed_over() {
    for mut scene in scenes("x:1;y:1") {
        scene.server("x:1").is_mute = true;
        let operation = scene.client.connect(scene.now);
        scene.run_for(ms(100));
        scene.cut("x:1", "reset");
        assert!(scene.wait(operation).is_ok());
        assert!(millis(&scene) <= 100);
    }
}

#[test]
fn an_answer_that_comes_after_its_share_disturbs_nothing() {
    for mut scene in scenes("late:1;alive:1") {
        scene.on("late:1", ROUTE, |_| Some(Reply::ok().after(ms(1600))));
        assert!(connect(&mut scene).is_ok());
        scene.run_for(ms(1000));
        assert!(scene.events.is_empty());
        assert!(connect(&mut scene).is_ok());
    }
}

#[test]
fn a_connection_that_stands_after_its_share_asks_nobody_twice() {
    for mut scene in scenes("late:1;x:1;y:1") {
        scene.server("late:1").opens_after = ms(1500);
        ["x:1", "y:1"].iter().for_each(|at| scene.on(at, ROUTE, |_| Some(Reply::ok().after(ms(900)))));
        assert!(connect(&mut scene).is_ok());
        scene.run_for(ms(3000));
        assert!(["x:1", "y:1"].iter().all(|at| scene.asked_of(at, ROUTE).len() <= 1));
        assert!(scene.asked_of("late:1", ROUTE).is_empty());
    }
}

#[test]
fn a_host_that_slept_too_long_ends_the_call_when_it_wakes() {
    for mut scene in scenes("x:1;y:1;z:1") {
        ["x:1", "y:1", "z:1"].iter().for_each(|at| scene.server(at).is_mute = true);
        let operation = scene.client.connect(scene.now);
        scene.run_for(ms(10));
        scene.now.mono = scene.now.mono + ms(60_000);
        scene.client.handle_timeout(scene.now);
        assert_eq!(scene.outcome(operation).map(kind), Some(ErrorKind::NameServersUnavailable));
        assert_eq!(scene.opened.len(), 1);
    }
}

#[test]
fn the_one_that_answered_is_asked_again() {
    for mut scene in scenes("x:1;y:1;z:1") {
        (0..5).for_each(|_| assert!(connect(&mut scene).is_ok()));
        assert_eq!(scene.opened.len(), 1);
    }
}

#[test]
fn a_client_whose_name_servers_come_back_recovers_by_itself() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    scene.server("ns:1").reach = Reach::Refuses;
    for _ in 0..20 {
        assert_eq!(kind(send_and_wait(&mut scene, producer)), ErrorKind::NameServersUnavailable);
    }
    scene.server("ns:1").reach = Reach::Accepts;
    // No pause is longer than half a minute.
    scene.run_for(ms(30_000));
    assert!(send_and_wait(&mut scene, producer).is_ok());
}

#[test]
fn a_new_list_of_name_servers_is_used_at_once_and_the_old_ones_are_left() {
    let mut scene = scene_of(&[]);
    scene.server("new:1");
    assert!(connect(&mut scene).is_ok());
    scene.client.handle_name_servers(scene.now, vec![address("new:1")]);
    assert!(connect(&mut scene).is_ok());
    assert_eq!(scene.asked_of("new:1", ROUTE).len(), 1);
    scene.run_for(ms(31_000));
    assert_eq!(scene.closed.iter().map(|(_, at)| at.as_str()).collect::<Vec<_>>(), ["ns:1"]);
    assert_eq!(scene.links_to("new:1").len(), 1);
}

#[test]
fn many_calls_share_one_connection() {
    let mut scene = scene_of(&[]);
    let operations: Vec<_> = (0..10).map(|_| scene.client.connect(scene.now)).collect();
    assert!(operations.into_iter().all(|operation| scene.wait(operation).is_ok()));
    assert_eq!(scene.opened, [(Instant::from_micros(5_000_000), address("ns:1"))]);
}

#[test]
fn a_client_waits_for_servers_that_are_starting_if_it_is_told_to() {
    let scene = |wait| {
        let mut config = ClientConfig::new(parse_list("x:1;y:1").unwrap());
        config.wait_for_servers = ms(wait);
        let mut scene = Scene::new(config, 3);
        ["x:1", "y:1"].iter().for_each(|at| scene.server(at).reach = Reach::Refuses);
        scene
    };
    for (wait, starts) in [(10_000, 0), (10_000, 4000), (60_000, 50_000), (10_000, 8800)] {
        let mut scene = scene(wait);
        let operation = scene.client.connect(scene.now);
        scene.run_for(ms(starts));
        assert!(starts == 0 || scene.outcome(operation).is_none(), "it waits after {starts} ms");
        scene.server("y:1").reach = Reach::Accepts;
        assert!(scene.wait(operation).is_ok(), "after {starts} ms");
        assert!(millis(&scene) <= starts + 1100, "{} ms for {starts}", millis(&scene));
    }
    // In vain.
    let mut scene = scene(10_000);
    let error = error(connect(&mut scene));
    assert_eq!((error.kind(), millis(&scene)), (ErrorKind::NameServersUnavailable, 10_000));
    assert!(error.to_string().contains("connection refused"), "{error}");
    let asked = scene.opened.len();
    assert!(asked < 60, "{asked} connections in ten seconds");
    // And it does not wait unless it is told to.
    let mut scene = scene_of(&[]);
    scene.server("ns:1").reach = Reach::Refuses;
    connect(&mut scene).unwrap_err();
    assert_eq!(millis(&scene), 0);
}
