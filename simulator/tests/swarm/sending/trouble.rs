//! What goes wrong beside the network's own faults: servers stop and start, are cut off, hang, refuse, are busy.

use std::sync::Arc;

use stgclient_core::time::Duration;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::dialect::Dialect;
use stgclient_servers::{Force, Forced, Memory, RequestFaults, RouteOverride, ServerId};
use stgclient_simulator::{Direction, NetworkHandle};

use super::{BROKERS, SECOND, Seat};

/// The requests that senders and readers make.
const REQUESTS: [RequestCode; 7] = [
    RequestCode::SEND_MESSAGE_V2,
    RequestCode::PULL_MESSAGE,
    RequestCode::QUERY_CONSUMER_OFFSET,
    RequestCode::UPDATE_CONSUMER_OFFSET,
    RequestCode::HEART_BEAT,
    RequestCode::UNREGISTER_CLIENT,
    RequestCode::GET_ROUTEINFO_BY_TOPIC,
];

pub(super) async fn run(mut seat: Seat, network: NetworkHandle) {
    let ledger = Arc::clone(&seat.ledger);
    ledger.begins();
    // Some histories have little of it and some have much.
    let most_pause = SECOND * (1 + seat.random.below(20) as u32);
    loop {
        seat.pause(most_pause).await;
        if seat.is_over() {
            break;
        }
        let longest = seat.end.since(seat.machine.clock().mono);
        let length = Duration::from_micros(seat.random.below(15_000_000)).min(longest);
        one(&mut seat, &network, length).await;
    }
    ledger.ends();
}

/// One trouble of this length, while nothing else of this kind happens.
async fn one(seat: &mut Seat, network: &NetworkHandle, length: Duration) {
    let broker = seat.random.below(u64::from(BROKERS)) as usize;
    let is_broker = seat.random.below(4) > 0;
    let server = if is_broker { ServerId::Broker(broker) } else { ServerId::NameServer(broker % 2) };
    let cluster = seat.cluster.clone();
    let address = if is_broker { &cluster.brokers()[broker] } else { &cluster.name_servers()[broker % 2] };
    let direction = if seat.random.below(2) == 0 { Direction::ToServer } else { Direction::ToClient };
    let busy = |forced| {
        cluster
            .with(|cluster| cluster.brokers().for_each(|one| one.force(Force::sends(Forced::clone(&forced)).times(20))))
    };
    let wait = seat.machine.sleep(length);
    match seat.random.below(14) {
        0 => {
            cluster.stop(server);
            wait.await;
            cluster.start(server, Memory::Kept);
        }
        2 => {
            network.partition(address, true);
            wait.await;
            network.partition(address, false);
        }
        3 => {
            network.stall(address, direction, true);
            wait.await;
            network.stall(address, direction, false);
        }
        4 => {
            network.refuse(address, true);
            network.reset(address);
            wait.await;
            network.refuse(address, false);
        }
        5 => network.reset(address),
        6 => network.break_after(address, direction, seat.random.below(2_000) as usize),
        7 => {
            network.delay(address, length / 10);
            wait.await;
            network.delay(address, Duration::ZERO);
        }
        8 => {
            cluster.lose_power(server);
            wait.await;
            cluster.start(server, Memory::Kept);
        }
        9 => {
            cluster.close_idle(Some(SECOND + length / 2));
            wait.await;
            cluster.close_idle(None);
        }
        10 => cluster.forget_routes(broker % 2, (seat.random.below(2) == 0).then_some(super::TOPIC)),
        11 | 12 => {
            let mut faults = RequestFaults::drawn(seat.random.next_u64(), &REQUESTS);
            if seat.dialect == Dialect::Apache {
                faults.refused_with.push(ResponseCode::GO_AWAY);
            }
            cluster.draw_faults(&faults, seat.random.next_u64());
            wait.await;
            cluster.draw_faults(&RequestFaults::NONE, 0);
        }
        13 => busy(if seat.random.below(2) == 0 { Forced::busy() } else { Forced::Delay(length / 4) }),
        _ => cluster.name_server(broker % 2, |name_server| {
            name_server.override_route(Some(super::TOPIC), RouteOverride::NotReady);
            let lost = Force::requests([RequestCode::GET_ROUTEINFO_BY_TOPIC], Forced::Lost);
            name_server.force(lost.times(3));
        }),
    }
}
