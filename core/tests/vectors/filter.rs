//! `filter.jsonl`: subscriptions, and the hashes that select tags and queues.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use line::{Line, integer, same, text};
use stgclient_core::wire::body::{ExpressionType, QueueKey, SubscriptionData};
use stgclient_core::wire::java;

/// Checks every line and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    line::check(text, &[], |line| match line.kind() {
        "subscription" => subscription(line, SubscriptionData::by_tags("T", expression(line)), ExpressionType::Tag),
        "sql" => subscription(line, SubscriptionData::by_sql("T", expression(line)), ExpressionType::Sql92),
        "hash" => hash(line),
        "select-by-hash" => select(line, java::string_hash(line.text("arg")?)),
        "select-by-hash-long" => select(line, java::long_hash(line.integer("arg")?)),
        "queue-order" => queue_order(line),
        other => Err(format!("the kind {other} is new")),
    })
}

/// Java's null is our empty text.
fn expression(line: &Line) -> &str {
    line.value("expression").as_str().unwrap_or_default()
}

fn subscription<E: std::fmt::Display>(
    line: &Line,
    ours: Result<SubscriptionData, E>,
    kind: ExpressionType,
) -> Result<(), String> {
    if !line.value("error").is_null() {
        return same("whether it is refused", ours.is_err(), true);
    }
    let ours = ours.map_err(|error| error.to_string())?;
    let tags = line.value("tagsSet").as_array().ok_or("no tags")?;
    let codes = line.value("codeSet").as_array().ok_or("no codes")?;
    same("expression", &*ours.sub_string, line.text("subString")?)?;
    same(
        "tags",
        ours.tags_set.iter().map(String::as_str).collect(),
        tags.iter().map(text).collect::<Result<Vec<_>, _>>()?,
    )?;
    let our_codes: Vec<i64> = ours.code_set.iter().copied().map(i64::from).collect();
    same("codes", our_codes, codes.iter().map(integer).collect::<Result<_, _>>()?)?;
    same("kind", ours.expression_type.clone(), kind)?;
    same("name of the kind", ours.expression_type.name(), line.text("expressionType")?)?;
    for tag in &ours.tags_set {
        same("whether a tag is selected", ours.selects(Some(tag)), true)?;
    }
    same("whether no tag is selected", ours.selects(None), tags.is_empty())
}

fn hash(line: &Line) -> Result<(), String> {
    let ours = i64::from(java::string_hash(line.text("text")?));
    same("hash", ours, line.integer("hashCode")?)?;
    same("tag code", ours, line.integer("tagsCode")?)
}

fn select(line: &Line, hash: i32) -> Result<(), String> {
    let count = usize::try_from(line.integer("queues")?).map_err(|error| error.to_string())?;
    same("queue", java::select_by_hash(hash, count), usize::try_from(line.integer("queueId")?).ok())
}

fn queue_order(line: &Line) -> Result<(), String> {
    let java = line.value("sorted").as_array().ok_or("no queues")?;
    let java: Vec<&str> = java.iter().map(text).collect::<Result<_, _>>()?;
    let mut queues = java.iter().rev().map(|text| queue(text)).collect::<Result<Vec<_>, _>>()?;
    queues.sort();
    let ours: Vec<String> =
        queues.iter().map(|queue| format!("{}:{}:{}", queue.topic, queue.broker_name, queue.queue_id)).collect();
    same("order", ours.iter().map(String::as_str).collect(), java)
}

fn queue(text: &str) -> Result<QueueKey, String> {
    let [topic, broker_name, queue_id] = text.split(':').collect::<Vec<_>>()[..] else {
        return Err(format!("{text} is no queue"));
    };
    let queue_id = queue_id.parse().map_err(|_| format!("{text} has no number"))?;
    Ok(QueueKey { topic: topic.to_owned(), broker_name: broker_name.to_owned(), queue_id })
}
