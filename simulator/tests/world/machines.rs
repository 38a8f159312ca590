//! Machines that stand still, lose their power, or whose tasks panic.

use std::sync::{Arc, Mutex};

use stgclient_core::time::{Duration, Instant};
use stgclient_servers::ClusterConfig;
use stgclient_simulator::{Machine, World};

use super::wire::Wire;

const NAME_SERVER: &str = "10.0.0.1:9876";
const SECOND: Duration = Duration::from_secs(1);

/// When a task on the machine did something.
type Seen = Arc<Mutex<Vec<Instant>>>;

/// Notes the time each second.
fn tick(machine: &Arc<Machine>) -> Seen {
    let seen = Seen::default();
    let (clock, notes) = (Arc::clone(machine), Arc::clone(&seen));
    machine.spawn(async move {
        loop {
            clock.sleep(SECOND).await;
            notes.lock().unwrap().push(clock.clock().mono);
        }
    });
    seen
}

#[test]
fn the_tasks_of_a_machine_that_stands_still_wait_and_then_run_late_and_all_at_once() {
    let world = World::new(1);
    let (machine, other) = (world.machine(), world.machine());
    let begin = world.now().mono;
    let seen: Vec<Seen> = [&machine, &machine, &other].map(tick).into();
    world.run_for(SECOND / 2);
    machine.stand_still(35 * SECOND);
    machine.stand_still(10 * SECOND);
    world.run_for(34 * SECOND);
    assert_eq!(seen[0].lock().unwrap().len(), 0, "the later end counts");
    assert_eq!(seen[2].lock().unwrap().len(), 34, "others go on");
    world.run_for(SECOND * 9 / 4);
    for seen in &seen[..2] {
        assert_eq!(*seen.lock().unwrap(), [begin + SECOND * 71 / 2, begin + SECOND * 73 / 2]);
    }
}

#[test]
fn bytes_wait_for_a_machine_that_stands_still() {
    let world = World::new(1);
    world.cluster(ClusterConfig::with_servers(1, 1));
    let machine = world.machine();
    let answered = Arc::new(Mutex::new(None));
    let (asker, note) = (Arc::clone(&machine), Arc::clone(&answered));
    machine.spawn(async move {
        let mut wire = Wire::open(&asker, NAME_SERVER).await.unwrap();
        assert!(wire.ask_cluster().await.is_ok());
        *note.lock().unwrap() = Some(asker.clock().mono);
    });
    let begin = world.now().mono;
    world.after(Duration::from_micros(250), {
        let machine = Arc::clone(&machine);
        move |_| machine.stand_still(20 * SECOND)
    });
    world.run_for(19 * SECOND);
    assert_eq!(*answered.lock().unwrap(), None);
    world.run_for(2 * SECOND);
    assert_eq!(*answered.lock().unwrap(), Some(begin + 20 * SECOND + Duration::from_micros(250)));
}

#[test]
fn a_machine_that_loses_its_power_takes_its_tasks_and_tells_nobody() {
    let world = World::new(1);
    let cluster = world.cluster(ClusterConfig::with_servers(1, 1));
    cluster.close_idle(Some(120 * SECOND));
    let (machine, other) = (world.machine(), world.machine());
    let ticks = [tick(&machine), tick(&other)];
    let asker = Arc::clone(&machine);
    machine.spawn(async move {
        let _wire = Wire::open(&asker, NAME_SERVER).await.unwrap();
        std::future::pending().await
    });
    world.run_for(SECOND / 2);
    assert_eq!((world.tasks(), world.network().links()), (3, 1));
    machine.lose_power();
    machine.spawn(async { unreachable!("nothing begins there any more") });
    world.run_for(100 * SECOND);
    assert_eq!(ticks.each_ref().map(|ticks| ticks.lock().unwrap().len()), [0, 100]);
    assert_eq!((world.tasks(), world.network().links()), (1, 1), "the server has heard of nothing");
    world.run_for(30 * SECOND);
    assert_eq!(world.network().links(), 0, "it has seen that the connection is idle");
}

#[test]
fn a_task_that_ends_its_own_machine_is_its_last() {
    let world = World::new(1);
    let machine = world.machine();
    let own = Arc::clone(&machine);
    machine.spawn(async move {
        own.lose_power();
        own.sleep(SECOND).await;
        unreachable!("it does not come back");
    });
    world.run_for(2 * SECOND);
    assert_eq!(world.tasks(), 0);
}

#[test]
fn a_task_of_a_machine_that_panics_ends_alone_if_that_is_wanted() {
    let world = World::new(1);
    world.catch_panics();
    let machine = world.machine();
    let ticks = tick(&machine);
    machine.spawn(async { std::panic::resume_unwind(Box::new("it was drawn")) });
    world.run_for(SECOND * 5 / 2);
    assert_eq!(ticks.lock().unwrap().len(), 2);
    assert_eq!(world.panics(), ["it was drawn"]);
}

#[test]
#[should_panic(expected = "seen by the test")]
fn a_task_that_panics_ends_the_test_otherwise() {
    let world = World::new(1);
    world.machine().spawn(async { panic!("seen by the test") });
    world.run_for(SECOND);
}
