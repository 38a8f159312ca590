//! Which messages a consumer wants (`ExpressionMessageFilter`, `ConsumerFilterManager`).

use std::sync::Arc;

use stgclient_core::sorted::{SortedMap, SortedSet};
use stgclient_core::time::Now;
use stgclient_core::wire::body::{ExpressionType, SubscriptionData};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::{PULL_FLAG_SUBSCRIPTION, PullMessage};

use super::super::budget::{Budget, Charge, ENTRY};
use super::super::refusal::{Forbidden, Refusal};
use super::super::sql92::Expression;
use super::Broker;
use super::log::Log;
use super::queue::Entry;

/// What a subscription takes, in bytes. An expression that has been read takes many times what its text does.
pub(super) fn cost(data: &SubscriptionData) -> usize {
    let tags: usize = data.tags_set.iter().map(|tag| ENTRY + tag.len()).sum();
    let names = 4 * data.topic.len() + data.expression_type.name().len();
    4 * ENTRY + names + tags + 16 * data.code_set.len() + 2 * data.sub_string.len()
}

/// An SQL expression, which takes many times what its text does, whoever filters by it.
#[derive(Debug)]
pub(super) struct Sql {
    expression: Expression,
    _charge: Charge,
}

impl Sql {
    /// # Errors
    /// There is no room for it; `Ok(None)` when it cannot be read.
    fn read(budget: &Budget, data: &SubscriptionData) -> Result<Option<Arc<Self>>, Refusal> {
        if data.expression_type != ExpressionType::Sql92 {
            return Ok(None);
        }
        let charge = budget.charge(ENTRY + 64 * data.sub_string.len())?;
        let expression = Expression::parse(&data.sub_string).ok();
        Ok(expression.map(|expression| Arc::new(Self { expression, _charge: charge })))
    }
}

/// What a group subscribes to of a topic.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) data: SubscriptionData,
    /// The expression, when it is SQL that can be read.
    sql: Option<Arc<Sql>>,
    _charge: Charge,
}

impl Subscription {
    /// # Errors
    /// There is no room for it.
    pub(super) fn new(budget: &Budget, data: SubscriptionData) -> Result<Self, Refusal> {
        let (charge, sql) = (budget.charge(cost(&data))?, Sql::read(budget, &data)?);
        Ok(Self { data, sql, _charge: charge })
    }
}

/// Which messages match.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    Everything,
    /// Nobody has said: an exception where Java runs, once there is a message to look at.
    Absent,
    /// A broker compares hashes; the client looks at the tags themselves.
    Tags(SortedSet<i32>),
    Sql(Arc<Sql>),
}

/// What one message was found to be by each expression: many wait by the same.
#[derive(Debug, Default)]
pub(super) struct Matched(SortedMap<*const Sql, bool>);

impl Matched {
    /// As [`Filter::matches`]; it is always the same message.
    pub(super) fn matches(&mut self, filter: &Filter, entry: Entry, log: &Log) -> bool {
        match filter {
            Filter::Sql(sql) => *self.0.get_or_insert_with(Arc::as_ptr(sql), || filter.matches(entry, log)),
            Filter::Everything | Filter::Absent | Filter::Tags(_) => filter.matches(entry, log),
        }
    }
}

impl Filter {
    fn of_tags(data: &SubscriptionData) -> Self {
        if data.sub_string == "*" { Self::Everything } else { Self::Tags(data.code_set.clone()) }
    }

    pub(super) fn matches(&self, entry: Entry, log: &Log) -> bool {
        match self {
            Self::Everything => true,
            Self::Absent => false,
            Self::Tags(codes) => codes.contains(&entry.tags_code),
            Self::Sql(sql) => {
                let record = log.get(entry.record);
                let message = record.and_then(|record| log.decode(record).ok());
                message.is_some_and(|message| {
                    let properties = message.properties();
                    sql.expression.matches(|name| properties.get(name))
                })
            }
        }
    }
}

impl Broker {
    /// The filter that the request brings, or the one that the group's last heartbeat did.
    pub(super) fn filter(
        &mut self,
        now: Now,
        header: &PullMessage<'_>,
        may_broadcast: bool,
        has_version: bool,
    ) -> Result<Filter, Refusal> {
        if header.sys_flag & PULL_FLAG_SUBSCRIPTION != 0 {
            let (data, filter) = self.filter_of_request(header)?;
            let is_tag = data.expression_type.is_tag();
            self.pulled.note(now.unix_ms, &header.consumer_group, data);
            // Whatever is thrown while the filter is made is a subscription that cannot be read.
            if is_tag || has_version { filter } else { Err(parse_failed()) }
        } else {
            self.filter_of_group(header, may_broadcast)
        }
    }

    /// What the request subscribes to, and the filter, if it can be filtered by.
    fn filter_of_request(
        &self,
        header: &PullMessage<'_>,
    ) -> Result<(SubscriptionData, Result<Filter, Refusal>), Refusal> {
        let expression = header.subscription.as_deref().unwrap_or_default();
        let kind = match header.expression_type.as_deref() {
            None | Some("TAG") => ExpressionType::Tag,
            Some("") if self.dialect == Dialect::Smartgo => ExpressionType::Tag,
            Some(other) => ExpressionType::from(other),
        };
        if kind == ExpressionType::Tag {
            // Nothing is selected by blanks between the signs, and no expression are the signs alone (`FilterAPI`).
            let of_blanks = || {
                let data = SubscriptionData::by_tags(&header.topic, "*").unwrap_or_default();
                SubscriptionData { sub_string: expression.to_owned(), ..data }
            };
            let data = match SubscriptionData::by_tags(&header.topic, expression) {
                Ok(data) => data,
                Err(_) if expression.split("||").all(str::is_empty) => return Err(parse_failed()),
                Err(_) => of_blanks(),
            };
            let filter = Filter::of_tags(&data);
            return Ok((data, Ok(filter)));
        }
        if expression.is_empty() {
            return Err(parse_failed());
        }
        let data = SubscriptionData {
            topic: header.topic.to_string(),
            sub_string: expression.to_owned(),
            expression_type: kind,
            ..SubscriptionData::default()
        };
        // `FilterAPI.build` has read no tags where the kind is empty, and `ExpressionMessageFilter` compares some.
        let filter = if data.expression_type.is_tag() { Ok(Filter::of_tags(&data)) } else { self.filter_of_sql(&data) };
        Ok((data, filter))
    }

    fn filter_of_sql(&self, data: &SubscriptionData) -> Result<Filter, Refusal> {
        self.require_property_filter(data.expression_type.name())?;
        // What cannot be read matches everything: `PullMessageProcessor` asserts that there is a filter, which nobody
        // checks in production, and without one `ExpressionMessageFilter` lets all through.
        Ok(Sql::read(&self.budget, data)?.map_or(Filter::Everything, Filter::Sql))
    }

    fn filter_of_group(&self, header: &PullMessage<'_>, may_broadcast: bool) -> Result<Filter, Refusal> {
        use ResponseCode as Code;
        let group = self.groups.consumers(&header.consumer_group).ok_or_else(|| {
            Refusal::with_faq(self.dialect, Code::SUBSCRIPTION_NOT_EXIST, "the consumer's group info not exist")
        })?;
        if !may_broadcast && !group.shares_messages() {
            let remark = format!("the consumer group[{}] can not consume by broadcast way", header.consumer_group);
            return Err(Refusal::forbidden(Forbidden::Broadcasting, remark));
        }
        let subscription = group.subscription(&header.topic).ok_or_else(|| {
            Refusal::with_faq(self.dialect, Code::SUBSCRIPTION_NOT_EXIST, "the consumer's subscription not exist")
        })?;
        let data = &subscription.data;
        if data.sub_version < header.sub_version {
            return Err(Refusal::new(Code::SUBSCRIPTION_NOT_LATEST, "the consumer's subscription not latest"));
        }
        if data.expression_type.is_tag() {
            let is_absent = data.sub_string.is_empty() && self.dialect == Dialect::Apache;
            return Ok(if is_absent { Filter::Absent } else { Filter::of_tags(data) });
        }
        let Some(sql) = &subscription.sql else {
            let remark = "The broker's consumer filter data is not exist!Your expression may be wrong!";
            return Err(Refusal::new(Code::FILTER_DATA_NOT_EXIST, remark));
        };
        self.require_property_filter(data.expression_type.name())?;
        Ok(Filter::Sql(Arc::clone(sql)))
    }

    /// Whatever is no tag needs `enablePropertyFilter`.
    pub(super) fn require_property_filter(&self, expression_type: &str) -> Result<(), Refusal> {
        if self.config.property_filter {
            return Ok(());
        }
        let remark = format!("The broker does not support consumer to filter message by {expression_type}");
        Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark))
    }
}

fn parse_failed() -> Refusal {
    Refusal::new(ResponseCode::SUBSCRIPTION_PARSE_FAILED, "parse the consumer's subscription failed")
}
