//! Names and values by namespace, which a name server keeps for whoever asks (`KVConfigManager`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use stgclient_core::wire::body::{self, KeyValueTable};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::KvConfigAnswer;

use super::super::nullable::Nullable;
use super::super::refusal::Refusal;
use super::super::reply::Reply;

/// The namespace of the queues of ordered topics.
const ORDER_TOPIC_CONFIG: &str = "ORDER_TOPIC_CONFIG";
/// How many values are kept in all.
const LIMIT: usize = 4096;

/// Values by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Configs(BTreeMap<String, BTreeMap<String, String>>);

impl Configs {
    /// The queues of an ordered topic, `broker:count;broker:count`.
    pub(super) fn order_of(&self, topic: &str) -> Option<&str> {
        self.get(ORDER_TOPIC_CONFIG, topic)
    }

    pub(super) fn put(&mut self, request: &Command) -> Result<(), Refusal> {
        let has = |name| request.fields.get(name).is_some();
        if !has("namespace") || !has("key") {
            return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "namespace or key is null"));
        }
        if self.0.values().map(|values| values.len() + 1).sum::<usize>() >= LIMIT {
            return Err(Refusal::full("values", LIMIT));
        }
        let fields = Nullable(request);
        let namespace = self.0.entry(fields.needed_text("namespace")?.into_owned()).or_default();
        let key = fields.needed_text("key")?.into_owned();
        match fields.text("value") {
            Some(value) => namespace.insert(key, value.into_owned()),
            // A value that is null is none to whoever asks.
            None => namespace.remove(&key),
        };
        Ok(())
    }

    pub(super) fn answer(&self, dialect: Dialect, request: &Command, reply: Reply<'_>) {
        let fields = Nullable(request);
        let value =
            fields.text("namespace").zip(fields.text("key")).and_then(|(namespace, key)| self.get(&namespace, &key));
        let (namespace, key) = (fields.shown("namespace"), fields.shown("key"));
        match (value, dialect) {
            (Some(value), _) => reply.header(Ok(KvConfigAnswer { value: Some(Cow::Borrowed(value)) })),
            (None, Dialect::Apache) => {
                let remark = format!("No config item, Namespace: {namespace} Key: {key}");
                reply.refuse(&Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark));
            }
            (None, Dialect::Smartgo) => {
                let remark = format!("no config item, namespace: {namespace} Key: {key}");
                reply.send(ResponseCode::QUERY_NOT_FOUND, Some(&remark), &KvConfigAnswer { value: None }, &[]);
            }
        }
    }

    /// The namespace stays, also without values.
    pub(super) fn delete(&mut self, request: &Command) -> Result<(), Refusal> {
        let fields = Nullable(request);
        if let Some((namespace, key)) = fields.text("namespace").zip(fields.text("key"))
            && let Some(values) = self.0.get_mut(&*namespace)
        {
            values.remove(&*key);
        }
        Ok(())
    }

    pub(super) fn list(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let namespace = Nullable(request).text("namespace");
        let table = namespace.and_then(|namespace| self.0.get(&*namespace).cloned()).ok_or_else(|| {
            let remark = format!("No config item, Namespace: {}", Nullable(request).shown("namespace"));
            Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark)
        })?;
        Ok(body::to_vec(&KeyValueTable { table }))
    }

    fn get(&self, namespace: &str, key: &str) -> Option<&str> {
        self.0.get(namespace)?.get(key).map(String::as_str)
    }
}
