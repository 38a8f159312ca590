//! What goes wrong, and what users and administrators do meanwhile: for each kind of the plan one task.

use std::sync::Arc;

use stgclient_core::queue::MessageQueue;
use stgclient_core::random::Random;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::InvokeResetOffset;
use stgclient_servers::{Force, Forced, Malformed, Memory, RequestFaults, RouteOverride, ServerId};
use stgclient_simulator::{Faults, World};

use super::options::Kind;
use super::scene::{Member, Scene, between};
use super::{GROUP, SECOND, SECOND_TOPIC, TOPIC, sender};

/// The requests that clients make of servers here.
const REQUESTS: [RequestCode; 14] = [
    RequestCode::SEND_MESSAGE_V2,
    RequestCode::PULL_MESSAGE,
    RequestCode::QUERY_CONSUMER_OFFSET,
    RequestCode::UPDATE_CONSUMER_OFFSET,
    RequestCode::GET_MAX_OFFSET,
    RequestCode::GET_MIN_OFFSET,
    RequestCode::SEARCH_OFFSET_BY_TIMESTAMP,
    RequestCode::HEART_BEAT,
    RequestCode::UNREGISTER_CLIENT,
    RequestCode::CONSUMER_SEND_MSG_BACK,
    RequestCode::GET_CONSUMER_LIST_BY_GROUP,
    RequestCode::LOCK_BATCH_MQ,
    RequestCode::UNLOCK_BATCH_MQ,
    RequestCode::GET_ROUTEINFO_BY_TOPIC,
];

/// Addresses that are none.
const ODD: [&str; 4] = ["10.0.0.9 :10911", "", "10.0.0.9", "10.0.0.9:0"];

/// Begins everything that the plan has.
pub(super) fn begin(world: &World, scene: &Arc<Scene>) {
    let chance = |kind: Kind| Random::new(world.seed() ^ (kind as u64 + 7).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    macro_rules! spawn {
        ($($kind:ident => $task:path),* $(,)?) => {$(
            if scene.options.has(Kind::$kind) {
                world.spawn($task(Arc::clone(scene), chance(Kind::$kind)));
            }
        )*};
    }
    spawn! {
        Resets => resets,
        Partitions => partitions,
        Stops => stops,
        PowerCuts => power_cuts,
        StandsStill => stands_still,
        OneRequest => one_request,
        Busy => busy,
        LostAnswers => lost_answers,
        RefusedLocks => refused_locks,
        GoAway => go_away,
        OffsetMoved => offset_moved,
        Forgets => forgets,
        OddRoutes => odd_routes,
        Grows => grows,
        Appears => appears,
        Vanishes => vanishes,
        Pauses => pauses,
        Subscriptions => subscriptions,
        AdminResets => admin_resets,
        SlowProducer => sender::slow_and_quick,
    }
    if scene.options.has(Kind::Network) {
        scene.network.set_faults(Faults::drawn(world.seed()));
        scene.ledger.trouble_begins(scene.now());
    }
    if scene.options.has(Kind::Requests) {
        let mut faults = RequestFaults::drawn(world.seed(), &REQUESTS);
        if scene.options.dialect == Dialect::Apache {
            faults.refused_with.push(ResponseCode::GO_AWAY);
        }
        scene.cluster.draw_faults(&faults, world.seed());
        scene.ledger.trouble_begins(scene.now());
    }
    if scene.options.has(Kind::IdleEnds) {
        scene.cluster.close_idle(Some(between(&mut chance(Kind::IdleEnds), 16 * SECOND, 40 * SECOND)));
    }
    if scene.options.has(Kind::LateLocks) {
        late_locks(scene, &mut chance(Kind::LateLocks));
    }
}

/// Answers to requests for locks take their time.
pub(super) fn late_locks(scene: &Scene, random: &mut Random) {
    let late = Forced::Delay(between(random, SECOND / 20, 2 * SECOND));
    let force = Force::requests([RequestCode::LOCK_BATCH_MQ], late);
    scene.cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.force(force.clone())));
}

fn any_broker(scene: &Scene, random: &mut Random) -> usize {
    random.below(u64::from(scene.options.brokers)) as usize
}

/// A name server with one chance in four, else a broker.
fn any_server(scene: &Scene, random: &mut Random) -> (ServerId, String) {
    if random.below(4) == 0 {
        return (ServerId::NameServer(0), scene.cluster.name_servers().swap_remove(0));
    }
    let index = any_broker(scene, random);
    (ServerId::Broker(index), scene.cluster.brokers().swap_remove(index))
}

async fn resets(scene: Arc<Scene>, mut random: Random) {
    loop {
        let (_, address) = any_server(&scene, &mut random);
        scene.network.reset(&address);
        if !scene.pause(&mut random, Duration::ZERO, 20 * SECOND).await {
            return;
        }
    }
}

async fn partitions(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, Duration::ZERO, 20 * SECOND).await {
        let member = (random.below(3) == 0).then(|| scene.any_member(&mut random)).flatten();
        let address = match &member {
            Some((_, member)) => member.machine.ip().to_string(),
            None => any_server(&scene, &mut random).1,
        };
        let trouble = member.is_none().then(|| scene.ledger.trouble_begins(scene.now()));
        scene.network.partition(&address, true);
        if random.below(3) == 0 {
            scene.network.reset(&address);
        }
        scene.pause(&mut random, SECOND, 30 * SECOND).await;
        scene.network.partition(&address, false);
        trouble.into_iter().for_each(|trouble| scene.ledger.trouble_ends(trouble, scene.now()));
    }
}

async fn stops(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, Duration::ZERO, 20 * SECOND).await {
        let (server, _) = any_server(&scene, &mut random);
        let trouble = scene.ledger.trouble_begins(scene.now());
        scene.cluster.stop(server);
        scene.pause(&mut random, Duration::ZERO, 5 * SECOND).await;
        scene.cluster.start(server, Memory::Kept);
        scene.ledger.trouble_ends(trouble, scene.now());
    }
}

async fn power_cuts(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, Duration::ZERO, 30 * SECOND).await {
        let (server, _) = any_server(&scene, &mut random);
        let trouble = scene.ledger.trouble_begins(scene.now());
        scene.cluster.lose_power(server);
        scene.pause(&mut random, SECOND, 30 * SECOND).await;
        scene.cluster.start(server, Memory::Kept);
        scene.ledger.trouble_ends(trouble, scene.now());
    }
}

/// Some know it beforehand, and give their queues up; some are away until brokers have forgotten them.
async fn stands_still(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, SECOND, 30 * SECOND).await {
        if let Some((_, member)) = scene.any_member(&mut random) {
            if random.below(3) == 0 {
                member.client.give_up_queues();
            }
            let most = if random.below(4) == 0 { 150 * SECOND } else { 70 * SECOND };
            let left = scene.end.since(scene.now());
            member.machine.stand_still(between(&mut random, SECOND, most).min(left));
        }
    }
}

/// How a single request is treated badly.
fn any_force(random: &mut Random) -> Forced {
    match random.below(8) {
        0 | 1 => Forced::busy(),
        2 => Forced::Refuse(ResponseCode::SYSTEM_ERROR, "it was drawn".into()),
        3 => Forced::Lost,
        4 => Forced::Unanswered,
        5 => Forced::Delay(between(random, Duration::ZERO, 2 * SECOND)),
        6 => Forced::Twice,
        _ => Forced::Malformed(Malformed::WrongHeader),
    }
}

/// Forces a broker to one thing at a time: what nobody has asked for yet does not add up.
fn force_alone(scene: &Scene, broker: &str, force: Force) {
    scene.cluster.broker(broker, |broker| broker.force_instead(force));
}

async fn one_request(scene: Arc<Scene>, mut random: Random) {
    loop {
        let code = REQUESTS[random.below(REQUESTS.len() as u64) as usize];
        let force = Force::requests([code], any_force(&mut random)).times(1);
        if code == RequestCode::GET_ROUTEINFO_BY_TOPIC {
            scene.cluster.name_server(0, |server| server.force_instead(force));
        } else {
            force_alone(&scene, &Scene::broker_name(any_broker(&scene, &mut random)), force);
        }
        if !scene.pause(&mut random, 3 * SECOND, 12 * SECOND).await {
            return;
        }
    }
}

async fn busy(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, Duration::ZERO, 4 * SECOND).await {
        force_alone(&scene, "broker-a", Force::sends(Forced::busy()));
        // Not for longer than the pauses of a few tries.
        scene.pause(&mut random, SECOND / 200, SECOND / 20).await;
        force_alone(&scene, "broker-a", Force::sends(Forced::busy()).times(0));
    }
}

async fn lost_answers(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, 16 * SECOND, 30 * SECOND).await {
        force_alone(&scene, "broker-a", Force::sends(Forced::Unanswered).times(1));
    }
}

async fn refused_locks(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, Duration::ZERO, 40 * SECOND).await {
        let force = Force::requests([RequestCode::LOCK_BATCH_MQ], Forced::busy()).times(1);
        for index in 0..usize::from(scene.options.brokers) {
            force_alone(&scene, &Scene::broker_name(index), force.clone());
        }
    }
}

async fn go_away(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, Duration::ZERO, 20 * SECOND).await {
        let code = REQUESTS[random.below(13) as usize];
        let forced = Forced::Refuse(ResponseCode::GO_AWAY, "it was drawn".into());
        let broker = Scene::broker_name(any_broker(&scene, &mut random));
        force_alone(&scene, &broker, Force::requests([code], forced).times(1));
    }
}

async fn offset_moved(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, 2 * SECOND, 20 * SECOND).await {
        let broker = Scene::broker_name(any_broker(&scene, &mut random));
        let force = Force::requests([RequestCode::PULL_MESSAGE], Forced::OffsetMoved);
        force_alone(&scene, &broker, force.clone());
        scene.pause(&mut random, SECOND, 5 * SECOND).await;
        force_alone(&scene, &broker, force.times(0));
    }
}

async fn forgets(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, Duration::ZERO, 30 * SECOND).await {
        let topic = (random.below(2) == 0).then_some(TOPIC);
        let has_restarted = random.below(2) == 0;
        if has_restarted {
            scene.cluster.stop(ServerId::NameServer(0));
            scene.cluster.start(ServerId::NameServer(0), Memory::Lost);
        } else {
            scene.cluster.forget_routes(0, topic);
        }
    }
}

async fn odd_routes(scene: Arc<Scene>, mut random: Random) {
    let mut number = 0;
    while scene.pause(&mut random, Duration::ZERO, 20 * SECOND).await {
        let address = ODD[random.below(ODD.len() as u64) as usize].to_owned();
        let odd = match random.below(2) {
            0 => RouteOverride::With("broker-odd".into(), address),
            // A member that has not joined yet has no role.
            _ => RouteOverride::WithMember(-1, "10.0.0.9:10911".into()),
        };
        scene.cluster.name_server(0, |server| server.override_route(Some(TOPIC), odd));
        // Who asks for the route just then has no older one.
        let sender = sender::start(&scene, &scene.clock).await;
        number += 1;
        let body = format!("odd {number}");
        let message = sender::message(&scene, &body, TOPIC);
        let begin = scene.now();
        match sender.producer.send(message).await {
            Ok(receipt) => scene.ledger.acknowledged(&body, &receipt, scene.now()),
            Err(error) if scene.options.only() == Some(Kind::OddRoutes) => {
                scene.ledger.found("one-odd-address-harms-no-other", format!("{body} at {begin:?}: {error:?}"));
            }
            Err(_) => {}
        }
        sender.client.close().await;
        scene.pause(&mut random, SECOND, 60 * SECOND).await;
        scene.cluster.name_server(0, |server| server.clear_overrides());
    }
}

/// A queue more, to which somebody sends at once.
async fn grows(scene: Arc<Scene>, mut random: Random) {
    for _ in 0..2 {
        if !scene.pause(&mut random, SECOND, 30 * SECOND).await {
            return;
        }
        let name = Scene::broker_name(any_broker(&scene, &mut random));
        let queue = scene.cluster.broker(&name, |broker| {
            let count = broker.queue_count(TOPIC).unwrap_or_default();
            broker.create_topic(TOPIC, count + 1).expect("it has room");
            count
        });
        scene.pause(&mut random, Duration::ZERO, SECOND).await;
        if let Some(known) = scene.sender() {
            let queue = MessageQueue::new(TOPIC, name.as_str(), queue);
            let body = format!("grown {queue}");
            let message = sender::message(&scene, &body, TOPIC);
            let options = stgclient::SendOptions::from(queue).timeout(15 * SECOND);
            let begin = scene.now();
            match known.producer.send_to(message, options).await {
                Ok(receipt) => scene.ledger.acknowledged(&body, &receipt, scene.now()),
                Err(error) => {
                    let took = scene.now().since(begin);
                    let calm = scene.ledger.lock().longest_peace(begin, begin + 15 * SECOND);
                    if calm > 10 * SECOND {
                        let what = format!("{body} after {took:?}: {error:?}");
                        scene.ledger.found("a-send-to-a-new-queue-finds-it", what);
                    }
                }
            }
        }
    }
}

fn make_second(scene: &Scene) {
    scene.cluster.with(|cluster| {
        cluster.brokers().for_each(|broker| broker.create_topic(SECOND_TOPIC, 2).expect("it has room"));
    });
    scene.ledger.lock().second_made = Some(scene.now());
    scene.set_second_exists(true);
}

async fn appears(scene: Arc<Scene>, mut random: Random) {
    scene.pause(&mut random, SECOND, 40 * SECOND).await;
    make_second(&scene);
}

async fn vanishes(scene: Arc<Scene>, mut random: Random) {
    scene.pause(&mut random, 10 * SECOND, 20 * SECOND).await;
    scene.set_second_exists(false);
    scene.sleep(4 * SECOND).await;
    scene.cluster.with(|cluster| cluster.delete_topic(SECOND_TOPIC));
    scene.pause(&mut random, Duration::ZERO, 25 * SECOND).await;
    make_second(&scene);
}

async fn pauses(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, Duration::ZERO, 20 * SECOND).await {
        let Some((_, member)) = scene.any_member(&mut random) else {
            continue;
        };
        let queues = member.consumer.status().queues;
        let queue = queues.get(random.below(queues.len().max(1) as u64) as usize).map(|queue| queue.queue.clone());
        let (from, to) = if random.below(2) == 0 { (Duration::ZERO, SECOND) } else { (SECOND, 45 * SECOND) };
        match queue.filter(|_| random.below(2) == 0) {
            Some(queue) => {
                member.consumer.pause_queue(&queue);
                scene.pause(&mut random, from, to).await;
                member.consumer.resume_queue(&queue);
            }
            None => {
                member.consumer.pause();
                scene.pause(&mut random, from, to).await;
                member.consumer.resume();
            }
        }
    }
}

/// A member that starts is paused, or a queue of it, while the answer to where it begins is refused, and soon resumed.
pub(super) async fn pause_at_start(scene: &Scene, member: &Member, random: &mut Random) {
    let queue = member.consumer.status().queues.first().map(|queue| queue.queue.clone());
    scene.sleep(between(random, Duration::ZERO, SECOND / 2)).await;
    match queue {
        Some(queue) if random.below(2) == 0 => {
            member.consumer.pause_queue(&queue);
            scene.sleep(between(random, SECOND, 8 * SECOND)).await;
            member.consumer.resume_queue(&queue);
        }
        _ => {
            member.consumer.pause();
            scene.sleep(between(random, SECOND, 8 * SECOND)).await;
            member.consumer.resume();
        }
    }
}

/// Where a group begins is not told the first time it is asked: the one is told that brokers are busy, which is ridden out, and
/// the other that they fail.
pub(super) fn refuse_beginnings(scene: &Scene, number: u32) {
    let codes = [RequestCode::QUERY_CONSUMER_OFFSET, RequestCode::GET_MAX_OFFSET, RequestCode::GET_MIN_OFFSET];
    let forced = if number % 2 == 1 {
        Forced::busy()
    } else {
        Forced::Refuse(ResponseCode::SYSTEM_ERROR, "it was drawn".into())
    };
    let force = Force::requests(codes, forced).times(scene.options.queues);
    scene.cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.force(force.clone())));
}

/// The only member wants more, and now and then nothing for a while.
async fn subscriptions(scene: Arc<Scene>, mut random: Random) {
    let subscribe = |tags: &str| {
        if let Some(member) = scene.members().get(&0) {
            member.consumer.subscribe(TOPIC, tags).expect("tags");
        }
    };
    scene.pause(&mut random, SECOND / 10, 30 * SECOND).await;
    let unsubscribe = || {
        if let Some(member) = scene.members().get(&0) {
            member.consumer.unsubscribe(TOPIC);
        }
    };
    if random.below(2) == 0 {
        unsubscribe();
        scene.pause(&mut random, Duration::ZERO, 20 * SECOND).await;
        subscribe("a");
        scene.pause(&mut random, SECOND, 20 * SECOND).await;
    }
    scene.ledger.lock().widened = Some(scene.now());
    subscribe("a || b");
    if random.below(2) == 0 && scene.pause(&mut random, SECOND, 20 * SECOND).await {
        unsubscribe();
        scene.pause(&mut random, Duration::ZERO, 20 * SECOND).await;
        subscribe("*");
    }
}

/// Back to the beginning, or on to the end.
///
/// Requests are under way for long enough that a commit often is when the administrator comes.
async fn admin_resets(scene: Arc<Scene>, mut random: Random) {
    let delay = between(&mut random, SECOND / 20, SECOND);
    scene.cluster.brokers().iter().for_each(|address| scene.network.delay(address, delay));
    scene.ledger.trouble_begins(scene.now());
    while scene.pause(&mut random, 6 * SECOND, 30 * SECOND).await {
        let queues = scene.queues(TOPIC);
        let queue = &queues[random.below(queues.len() as u64) as usize];
        let end = scene.cluster.broker(&queue.broker_name, |broker| broker.offsets(TOPIC, queue.queue_id));
        let end = end.map_or(0, |(_, max)| max);
        let offset = if random.below(3) == 0 { end } else { 0 };
        let request = InvokeResetOffset {
            topic: TOPIC.into(),
            group: GROUP.into(),
            queue_id: Some(queue.queue_id as i32),
            offset: Some(offset),
            timestamp: 0,
            is_force: true,
        };
        if scene.cluster.with(|cluster| cluster.reset_offset(&queue.broker_name, &request)).is_ok() {
            let now = scene.now();
            scene.ledger.lock().resets.push((now, queue.clone(), offset as u64));
        }
    }
}

/// Everything is well again.
pub(super) fn heal(scene: &Scene) {
    scene.network.heal();
    scene.cluster.heal();
    scene.cluster.close_idle(None);
    for member in scene.members().values() {
        member.consumer.resume();
        for queue in member.consumer.status().queues {
            member.consumer.resume_queue(&queue.queue);
        }
    }
    let now = scene.now();
    let mut entries = scene.ledger.lock();
    entries.healed = Some(now);
    entries.troubles.iter_mut().for_each(|(_, end)| {
        end.get_or_insert(now);
    });
}
