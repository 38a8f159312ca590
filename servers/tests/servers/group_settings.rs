//! How groups are set up.

use stgclient_core::wire::body::{self, ConsumerData, HeartbeatData, MessageModel, SubscriptionData};
use stgclient_core::wire::body::{SubscriptionGroupConfig, SubscriptionGroups};
use stgclient_core::wire::code::ResponseCode as Code;
use stgclient_core::wire::request::{
    DeleteGroup, GetGroup, GetGroups, GetGroupsAnswer, GetTopicConfig, Heartbeat, UpdateGroup,
};
use stgclient_servers::Peer;

use super::client::{Bench, code, pull, remark};

fn update(bench: &mut Bench, peer: Peer, settings: &SubscriptionGroupConfig) {
    let answer = bench.ask_with(peer, &UpdateGroup {}, &body::to_vec(settings));
    assert_eq!(code(&answer), Code::SUCCESS, "{:?}", answer.remark);
}

fn settings(group: &str) -> SubscriptionGroupConfig {
    SubscriptionGroupConfig { group_name: group.into(), ..SubscriptionGroupConfig::default() }
}

fn broadcast(bench: &mut Bench, peer: Peer) {
    let group = ConsumerData {
        group_name: "consumers".into(),
        message_model: Some(MessageModel::Broadcasting),
        subscription_data_set: vec![SubscriptionData::by_tags("t", "*").unwrap()],
        ..ConsumerData::default()
    };
    let data = HeartbeatData { client_id: "c".into(), consumer_data_set: vec![group], ..HeartbeatData::default() };
    bench.ask_with(peer, &Heartbeat {}, &body::to_vec(&data));
    bench.answers(peer);
}

#[test]
fn a_group_is_as_it_was_set_up_or_as_every_group_is() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let group = |bench: &mut Bench, name: &'static str| {
        let answer = bench.ask(peer, &GetGroup { group: name.into() });
        body::from_slice::<SubscriptionGroupConfig>(&answer.body).map_err(|_| code(&answer))
    };
    assert_eq!(group(&mut bench, "new"), Ok(settings("new")));
    assert_eq!(group(&mut bench, "no name"), Err(Code::SUBSCRIPTION_GROUP_NOT_EXIST));
    let attribute = |name: &str| [(name.to_owned(), "1".to_owned())].into();
    update(&mut bench, peer, &SubscriptionGroupConfig { attributes: attribute("+priority.factor"), ..settings("set") });
    update(&mut bench, peer, &SubscriptionGroupConfig { retry_max_times: 3, ..settings("set") });
    let expected =
        SubscriptionGroupConfig { attributes: attribute("priority.factor"), retry_max_times: 3, ..settings("set") };
    assert_eq!(group(&mut bench, "set"), Ok(expected));
    update(&mut bench, peer, &SubscriptionGroupConfig { attributes: attribute("-priority.factor"), ..settings("set") });
    assert_eq!(group(&mut bench, "set"), Ok(settings("set")));
    let refused = bench.ask_with(peer, &UpdateGroup {}, &body::to_vec(&settings("no name")));
    assert_eq!(code(&refused), Code::INVALID_PARAMETER);
}

#[test]
fn groups_are_listed_by_pages_and_a_changed_list_begins_again() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    for group in ["a", "b", "c"] {
        update(&mut bench, peer, &settings(group));
    }
    let page = |bench: &mut Bench, group_seq, data_version: Option<String>| {
        let paged = data_version.is_some();
        let request = GetGroups {
            group_seq: paged.then_some(group_seq),
            data_version: data_version.map(Into::into),
            max_group_num: paged.then_some(10),
        };
        let answer = bench.ask(peer, &request);
        assert_eq!(answer.header::<GetGroupsAnswer>().unwrap().total_group_num, 11);
        body::from_slice::<SubscriptionGroups>(&answer.body).unwrap()
    };
    let all = page(&mut bench, 0, None);
    assert_eq!(all.subscription_group_table.len(), 11);
    assert!(all.subscription_group_table.contains_key("TOOLS_CONSUMER"));
    let version = String::from_utf8(body::to_vec(&all.data_version)).unwrap();
    assert_eq!(page(&mut bench, 0, Some(version.clone())).subscription_group_table.len(), 10);
    let last = page(&mut bench, 10, Some(version.clone()));
    assert!(last.subscription_group_table.keys().eq(["c"]));
    update(&mut bench, peer, &settings("c"));
    assert_eq!(page(&mut bench, 10, Some(version)).subscription_group_table.len(), 10, "another version");
}

#[test]
fn a_deleted_group_is_no_more_nor_are_its_offsets_if_so_wanted() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.auto_create_groups = false);
    update(&mut bench, peer, &settings("consumers"));
    bench.create_topic(peer, "t", 1);
    let committing = stgclient_core::wire::request::UpdateConsumerOffset {
        consumer_group: "consumers".into(),
        topic: "t".into(),
        queue_id: 0,
        commit_offset: 7,
        broker_name: None,
    };
    for (clean_offset, left) in [(None, Some(7)), (Some(true), None)] {
        update(&mut bench, peer, &settings("consumers"));
        bench.ask(peer, &committing);
        bench.ask(peer, &DeleteGroup { group_name: "consumers".into(), clean_offset });
        assert_eq!(code(&bench.ask(peer, &committing)), Code::SUBSCRIPTION_GROUP_NOT_EXIST);
        assert_eq!(bench.broker().committed("consumers", "t", 0), left);
    }
}

#[test]
fn a_group_that_may_not_consume_pulls_nothing() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    update(&mut bench, peer, &SubscriptionGroupConfig { consume_broadcast_enable: false, ..settings("consumers") });
    broadcast(&mut bench, peer);
    let refused = bench.ask(peer, &pull("t", 0, 0));
    assert_eq!(
        (code(&refused), remark(&refused)),
        (Code::NO_PERMISSION, "the consumer group[consumers] can not consume by broadcast way")
    );
    update(&mut bench, peer, &SubscriptionGroupConfig { consume_enable: false, ..settings("consumers") });
    let refused = bench.ask(peer, &pull("t", 0, 0));
    assert_eq!(
        (code(&refused), remark(&refused)),
        (Code::NO_PERMISSION, "subscription group no permission, consumers")
    );
}

#[test]
fn the_retry_topic_has_the_queues_that_the_group_is_set_up_with() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    update(&mut bench, peer, &SubscriptionGroupConfig { retry_queue_nums: 3, ..settings("consumers") });
    broadcast(&mut bench, peer);
    let answer = bench.ask(peer, &GetTopicConfig { topic: "%RETRY%consumers".into() });
    let config: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(config["writeQueueNums"], 3);
}
