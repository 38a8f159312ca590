//! Time and tasks.

use std::sync::{Arc, Mutex};

use stgclient_core::time::Duration;
use stgclient_simulator::{Patience, StuckReason, World};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn time_moves_only_when_nothing_else_does() {
    let world = World::new(1);
    let machine = world.machine();
    let begin = world.now();
    world.block_on(async {
        machine.sleep(SECOND).await;
        machine.sleep(SECOND).await;
    });
    let end = world.now();
    assert_eq!(end.mono.since(begin.mono), 2 * SECOND);
    assert_eq!(end.unix_ms - begin.unix_ms, 2000);
}

#[test]
fn tasks_run_in_the_order_they_woke_and_sleepers_in_the_order_they_fell_asleep() {
    let world = World::new(1);
    let order = Arc::new(Mutex::new(Vec::new()));
    for number in 0..3 {
        let (machine, order) = (world.machine(), Arc::clone(&order));
        world.spawn(async move {
            order.lock().unwrap().push(number);
            machine.sleep(SECOND).await;
            order.lock().unwrap().push(10 + number);
            machine.sleep(SECOND * (3 - number)).await;
            order.lock().unwrap().push(20 + number);
        });
    }
    world.run_for(5 * SECOND);
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 10, 11, 12, 22, 21, 20]);
    assert_eq!(world.tasks(), 0);
}

#[test]
fn a_test_acts_at_a_time_of_its_choice() {
    let world = World::new(1);
    let begin = world.now().mono;
    let seen = Arc::new(Mutex::new(None));
    let seen_in_act = Arc::clone(&seen);
    world.after(3 * SECOND, move |world| {
        let seen = Arc::clone(&seen_in_act);
        world.after(SECOND, move |world| *seen.lock().unwrap() = Some(world.now().mono));
    });
    world.run_for(10 * SECOND);
    assert_eq!(*seen.lock().unwrap(), Some(begin + 4 * SECOND));
}

#[test]
fn a_sleep_that_is_dropped_wakes_nobody() {
    let world = World::new(1);
    let machine = world.machine();
    let begin = world.now().mono;
    world.block_on(async {
        let mut sleep = Box::pin(machine.sleep(SECOND));
        std::future::poll_fn(|context| {
            assert!(sleep.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(sleep);
        machine.sleep(2 * SECOND).await;
    });
    assert_eq!(world.now().mono.since(begin), 2 * SECOND);
}

#[test]
fn who_waits_in_vain_is_told_why() {
    let world = World::new(42);
    let machine = world.machine();
    let stuck = world.try_block_on(Patience::default(), std::future::pending::<()>()).unwrap_err();
    assert_eq!((stuck.reason, stuck.seed), (StuckReason::Nothing, 42));
    let patience = Patience { time: SECOND, ..Patience::default() };
    let stuck = world.try_block_on(patience, machine.sleep(2 * SECOND)).unwrap_err();
    assert_eq!(stuck.reason, StuckReason::Time);
    let patience = Patience { steps: 100, ..Patience::default() };
    let forever = std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    });
    let stuck = world.try_block_on(patience, forever).unwrap_err();
    assert_eq!(stuck.reason, StuckReason::Steps);
    let words = stuck.to_string();
    assert!(words.starts_with("seed 42: the steps are used up, at 1.000000 s;"), "{words}");
    assert!(words.contains("sleeps until"), "{words}");
}

#[test]
fn a_world_takes_its_tasks_with_it() {
    let world = World::new(1);
    let witness = Arc::new(());
    let (machine, held) = (world.machine(), Arc::clone(&witness));
    world.spawn(async move {
        machine.sleep(SECOND).await;
        drop(held);
    });
    world.block_on(async {});
    assert_eq!(Arc::strong_count(&witness), 2);
    drop(world);
    assert_eq!(Arc::strong_count(&witness), 1);
}
