//! Bodies of routes, and what a client makes of them.

use stgclient_core::routes::route::{MAX_QUEUES, TopicRoute};
use stgclient_core::wire::body::TopicRouteData;
use stgclient_fuzzing::bodies;

pub fn run(body: &[u8]) {
    let route = bodies::check_with_names::<TopicRouteData>(body).map(|data| TopicRoute::from_body(data).0);
    if let Some(route) = route {
        assert!(route.writable().len() <= MAX_QUEUES && route.readable().len() <= MAX_QUEUES);
    }
}
