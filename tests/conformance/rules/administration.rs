//! What administrators ask about groups and messages.

use stgclient::{Dialect, ErrorKind};

use super::bench;
use stgclient_tests::eventually;

#[tokio::test]
async fn the_list_of_groups_has_those_with_members_once_each_and_sorted() {
    let bench = bench(1).await;
    if bench.cluster.dialect() == Dialect::Smartgo {
        return assert_eq!(bench.admin().groups().await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    let group = bench.unique("listed");
    let consumer = bench.client.push_consumer(&group).subscribe(&bench.topic, "*");
    let _consumer = consumer.concurrently(|_| async { Ok(()) }).start().await.unwrap();
    let groups = eventually("the group is listed", async || {
        let groups = bench.admin().groups().await.unwrap();
        groups.contains(&group).then_some(groups)
    })
    .await;
    assert!(groups.is_sorted_by(|one, other| one < other), "{groups:?}");
    assert!(groups.iter().any(|group| group == "TOOLS_CONSUMER"));
}
