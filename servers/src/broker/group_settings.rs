//! How consumer groups are set up, and that a group exists at all (`SubscriptionGroupManager`, `AdminBrokerProcessor`).

use serde_json::Value;
use stgclient_core::sorted::SortedMap;
use stgclient_core::time::Now;
use stgclient_core::wire::body::{self, DataVersion, SubscriptionGroupConfig, SubscriptionGroups};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::request::{DeleteGroup, GetGroup};

use super::super::budget::{Budget, Charge, ENTRY, FIRST};
use super::super::named::Named;
use super::super::needed::{Need, read_body_with};
use super::super::refusal::Refusal;
use super::super::reply::Reply;
use super::page::{Page, Total};
use super::{Broker, attributes, topic_names};

/// The groups that a broker has from the start (`SubscriptionGroupManager.init`).
const FROM_THE_START: [&str; 8] = [
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    "CID_RMQ_SYS_TRANS",
];

/// The settings of every group of a broker.
#[derive(Debug)]
pub(super) struct GroupSettings {
    groups: Named<(SubscriptionGroupConfig, Charge)>,
    version: DataVersion,
    creates: bool,
    budget: Budget,
}

impl GroupSettings {
    /// The groups that every broker has; `creates` says whether an unknown one is created when it shows up.
    pub(super) fn new(now: Now, creates: bool, budget: &Budget) -> Self {
        let mut groups = Named::default();
        for group in FROM_THE_START {
            groups.insert(group, (settings_of(group), budget.free()));
        }
        let version = DataVersion { timestamp: now.unix_ms as i64, ..DataVersion::default() };
        Self { groups, version, creates, budget: budget.clone() }
    }

    /// The settings of a group, if there is such a group.
    pub(super) fn get(&self, group: &str) -> Option<&SubscriptionGroupConfig> {
        self.groups.get(group).map(|(settings, _)| settings)
    }

    /// The same, and creates the group if that is allowed (`findSubscriptionGroupConfig`).
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn find_or_create(
        &mut self,
        now: Now,
        group: &str,
    ) -> Result<Option<&SubscriptionGroupConfig>, Refusal> {
        if !self.groups.contains(group) {
            if !self.creates || topic_names::validate_group(group).is_err() {
                return Ok(None);
            }
            self.set(now, settings_of(group))?;
        }
        Ok(self.get(group))
    }

    fn set(&mut self, now: Now, settings: SubscriptionGroupConfig) -> Result<(), Refusal> {
        let cost = cost(&settings);
        match self.groups.get_mut(settings.group_name.as_str()) {
            Some((known, charge)) => {
                charge.resize(cost)?;
                *known = settings;
            }
            None => {
                let charge = self.budget.charge(cost)?;
                let name = settings.group_name.clone();
                self.groups.insert(&name, (settings, charge));
            }
        }
        self.count_change(now);
        Ok(())
    }

    fn remove(&mut self, now: Now, group: &str) {
        if self.groups.remove(group).is_some() {
            self.count_change(now);
        }
    }

    const fn count_change(&mut self, now: Now) {
        self.version.counter += 1;
        self.version.timestamp = now.unix_ms as i64;
    }

    /// A page of the groups. One that goes on from another version of them begins again.
    fn page(&self, page: Page) -> SubscriptionGroups {
        let page = page.of_all(self.version, self.groups.iter());
        SubscriptionGroups {
            data_version: self.version,
            forbidden_table: SortedMap::new(),
            subscription_group_table: page.map(|(name, (settings, _))| (name.to_string(), settings.clone())).collect(),
        }
    }
}

/// What a value that is handed on as JSON takes, in bytes.
fn cost_of_json(value: &Value) -> usize {
    const NODE: usize = 2 * size_of::<Value>();
    match value {
        Value::Null => 0,
        Value::Bool(_) | Value::Number(_) => NODE,
        Value::String(text) => NODE + text.len(),
        Value::Array(elements) => NODE + elements.iter().map(|element| NODE + cost_of_json(element)).sum::<usize>(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| 2 * NODE + name.len() + cost_of_json(value));
            NODE + FIRST * size_of::<(String, Value)>() + members.sum::<usize>()
        }
    }
}

/// What the settings of a group take, in bytes.
fn cost(settings: &SubscriptionGroupConfig) -> usize {
    let policy = &settings.group_retry_policy;
    let handed_on = cost_of_json(&settings.subscription_data_set)
        + cost_of_json(&policy.customized_retry_policy)
        + cost_of_json(&policy.exponential_retry_policy);
    let attributes: usize = settings.attributes.iter().map(|(name, value)| ENTRY + name.len() + value.len()).sum();
    4 * ENTRY + 2 * settings.group_name.len() + policy.kind.len() + attributes + handed_on
}

fn settings_of(group: &str) -> SubscriptionGroupConfig {
    SubscriptionGroupConfig { group_name: group.to_owned(), ..SubscriptionGroupConfig::default() }
}

impl Broker {
    pub(super) fn update_group(&mut self, now: Now, request: &Command) -> Result<(), Refusal> {
        if request.body.is_empty() {
            return Ok(());
        }
        let mut settings: SubscriptionGroupConfig = read_body_with(request, &[Need::Values("attributes")])?;
        topic_names::validate_group(&settings.group_name)
            .map_err(|remark| Refusal::new(ResponseCode::INVALID_PARAMETER, remark))?;
        let known = self.group_settings.get(&settings.group_name).map(|known| &known.attributes);
        let changes = settings.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let attributes = attributes::changed(attributes::OF_GROUPS, known, changes)
            .map_err(|remark| Refusal::thrown(format!("RuntimeException: {remark}")))?;
        settings.attributes = attributes;
        let kind = &mut settings.group_retry_policy.kind;
        if !matches!(&**kind, "CUSTOMIZED" | "EXPONENTIAL") {
            kind.clear();
        }
        let subscriptions = settings.subscription_data_set.as_array_mut().into_iter().flatten();
        for subscription in subscriptions.filter_map(Value::as_object_mut) {
            subscription.entry("version").or_insert(Value::from(0));
        }
        self.group_settings.set(now, settings)
    }

    pub(super) fn group(&mut self, now: Now, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: GetGroup<'_> = request.header()?;
        let settings = self
            .group_settings
            .find_or_create(now, &header.group)?
            .ok_or_else(|| Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, "No group in this broker"))?;
        Ok(body::to_vec(settings))
    }

    pub(super) fn groups(&self, request: &Command, reply: Reply<'_>) {
        let page = match Page::of(request, "groupSeq", "maxGroupNum") {
            Ok(page) => page,
            Err(refusal) => return reply.refuse(&refusal),
        };
        let total = Total { name: "totalGroupNum", total: self.group_settings.groups.len() };
        reply.send(ResponseCode::SUCCESS, None, &total, &body::to_vec(&self.group_settings.page(page)));
    }

    pub(super) fn delete_group(&mut self, now: Now, request: &Command) -> Result<(), Refusal> {
        let header: DeleteGroup<'_> = request.header()?;
        self.group_settings.remove(now, &header.group_name);
        if header.clean_offset == Some(true) {
            for offsets in [&mut self.offsets, &mut self.pull_offsets, &mut self.reset_offsets] {
                offsets.forget_group(&header.group_name);
            }
        }
        Ok(())
    }
}
