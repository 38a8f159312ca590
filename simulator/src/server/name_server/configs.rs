//! Names and values by namespace, which a name server keeps for whoever asks (`KVConfigManager`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use stgclient_core::wire::body::{self, KeyValueTable};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::{DeleteKvConfig, GetKvConfig, GetKvList, KvConfigAnswer, PutKvConfig};

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
        let header: PutKvConfig<'_> = request.header()?;
        if self.0.values().map(BTreeMap::len).sum::<usize>() >= LIMIT {
            return Err(Refusal::full("values", LIMIT));
        }
        let namespace = self.0.entry(header.namespace.into_owned()).or_default();
        namespace.insert(header.key.into_owned(), header.value.into_owned());
        Ok(())
    }

    pub(super) fn answer(&self, dialect: Dialect, request: &Command, reply: Reply<'_>) {
        let header: GetKvConfig<'_> = match request.header() {
            Ok(header) => header,
            Err(error) => return reply.refuse(&error.into()),
        };
        let GetKvConfig { namespace, key } = header;
        match (self.get(&namespace, &key), dialect) {
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

    pub(super) fn delete(&mut self, request: &Command) -> Result<(), Refusal> {
        let header: DeleteKvConfig<'_> = request.header()?;
        if let Some(namespace) = self.0.get_mut(&*header.namespace) {
            namespace.remove(&*header.key);
            if namespace.is_empty() {
                self.0.remove(&*header.namespace);
            }
        }
        Ok(())
    }

    pub(super) fn list(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: GetKvList<'_> = request.header()?;
        let table = self.0.get(&*header.namespace).cloned().ok_or_else(|| {
            let remark = format!("No config item, Namespace: {}", header.namespace);
            Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark)
        })?;
        Ok(body::to_vec(&KeyValueTable { table }))
    }

    fn get(&self, namespace: &str, key: &str) -> Option<&str> {
        self.0.get(namespace)?.get(key).map(String::as_str)
    }
}
