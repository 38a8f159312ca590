//! What name servers are asked.

use std::borrow::Cow;

use super::headers;

headers! {
    /// GET_ROUTEINFO_BY_TOPIC (`GetRouteInfoRequestHeader`); the answer's body is a `TopicRouteData`.
    GetRouteInfo<'a> = GET_ROUTEINFO_BY_TOPIC {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// Whether the body has to be JSON as the standard has it.
        accept_standard_json_only: "acceptStandardJsonOnly" in Apache = Option<bool>,
    }

    /// GET_BROKER_CLUSTER_INFO; the answer's body is a `ClusterInfo`.
    GetClusterInfo = GET_BROKER_CLUSTER_INFO {}

    /// GET_ALL_TOPIC_LIST_FROM_NAMESERVER; the answer's body is a `TopicList`.
    GetTopicList = GET_ALL_TOPIC_LIST_FROM_NAMESERVER {}

    /// PUT_KV_CONFIG (`PutKVConfigRequestHeader`).
    PutKvConfig<'a> = PUT_KV_CONFIG {
        /// The namespace, such as `ORDER_TOPIC_CONFIG`.
        namespace: "namespace" = Cow<'a, str>,
        /// The key.
        key: "key" = Cow<'a, str>,
        /// The value.
        value: "value" = Cow<'a, str>,
    }

    /// GET_KV_CONFIG (`GetKVConfigRequestHeader`).
    GetKvConfig<'a> = GET_KV_CONFIG {
        /// The namespace.
        namespace: "namespace" = Cow<'a, str>,
        /// The key.
        key: "key" = Cow<'a, str>,
    }

    /// The answer to [`GetKvConfig`].
    KvConfigAnswer<'a> {
        /// The value.
        value: "value" = Option<Cow<'a, str>>,
    }

    /// DELETE_KV_CONFIG (`DeleteKVConfigRequestHeader`).
    DeleteKvConfig<'a> = DELETE_KV_CONFIG {
        /// The namespace.
        namespace: "namespace" = Cow<'a, str>,
        /// The key.
        key: "key" = Cow<'a, str>,
    }

    /// GET_KVLIST_BY_NAMESPACE (`GetKVListByNamespaceRequestHeader`); the answer's body is a `KeyValueTable`.
    GetKvList<'a> = GET_KVLIST_BY_NAMESPACE {
        /// The namespace.
        namespace: "namespace" = Cow<'a, str>,
    }

    /// DELETE_TOPIC_IN_NAMESRV (`DeleteTopicFromNamesrvRequestHeader`).
    DeleteTopicInNameServer<'a> = DELETE_TOPIC_IN_NAMESRV {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The cluster to delete it in; all when absent.
        cluster_name: "clusterName" in Apache = Option<Cow<'a, str>>,
    }
}
