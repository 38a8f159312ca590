//! Names and values by namespace, which a name server keeps for whoever asks (`KVConfigManager`).

use std::borrow::Cow;

use stgclient_core::wire::body::{self, KeyValueTable};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::KvConfigAnswer;

use super::super::budget::{Budget, Charge, ENTRY, FIRST};
use super::super::named::Named;
use super::super::nullable::Nullable;
use super::super::refusal::Refusal;
use super::super::reply::Reply;

/// The namespace of the queues of ordered topics.
const ORDER_TOPIC_CONFIG: &str = "ORDER_TOPIC_CONFIG";
/// Values by namespace and name.
#[derive(Debug)]
pub(super) struct Configs {
    namespaces: Named<Namespace>,
    budget: Budget,
}

#[derive(Debug)]
struct Namespace {
    values: Named<(String, Charge)>,
    _charge: Charge,
}

impl Configs {
    pub(super) fn new(budget: &Budget) -> Self {
        Self { namespaces: Named::default(), budget: budget.clone() }
    }

    /// The queues of an ordered topic, `broker:count;broker:count`.
    pub(super) fn order_of(&self, topic: &str) -> Option<&str> {
        self.get(ORDER_TOPIC_CONFIG, topic)
    }

    pub(super) fn put(&mut self, request: &Command) -> Result<(), Refusal> {
        let has = |name| request.fields.get(name).is_some();
        if !has("namespace") || !has("key") {
            return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "namespace or key is null"));
        }
        let fields = Nullable(request);
        let (name, key) = (fields.needed_text("namespace")?, fields.needed_text("key")?);
        if !self.namespaces.contains(&name) {
            let charge = self.budget.charge(ENTRY + name.len() + FIRST * size_of::<(String, (String, Charge))>())?;
            let namespace = Namespace { values: Named::default(), _charge: charge };
            self.namespaces.insert(&name, namespace);
        }
        let Some(namespace) = self.namespaces.get_mut(&name) else {
            return Ok(());
        };
        match fields.text("value") {
            Some(value) => {
                let charge = self.budget.charge(ENTRY + key.len() + value.len())?;
                namespace.values.insert(&key, (value.into_owned(), charge));
            }
            // A value that is null is none to whoever asks.
            None => drop(namespace.values.remove(&key)),
        }
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
            && let Some(namespace) = self.namespaces.get_mut(&namespace)
        {
            namespace.values.remove(&key);
        }
        Ok(())
    }

    pub(super) fn list(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let namespace = Nullable(request).text("namespace");
        let table = namespace.and_then(|namespace| self.namespaces.get(&namespace)).ok_or_else(|| {
            let remark = format!("No config item, Namespace: {}", Nullable(request).shown("namespace"));
            Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark)
        })?;
        let table = table.values.iter().map(|(key, (value, _))| (key.to_owned(), value.clone())).collect();
        Ok(body::to_vec(&KeyValueTable { table }))
    }

    fn get(&self, namespace: &str, key: &str) -> Option<&str> {
        let (value, _) = self.namespaces.get(namespace)?.values.get(key)?;
        Some(value)
    }
}
