//! The names of all consumer groups, of all masters together, page by page (`MQClientAPIImpl.getAllSubscriptionGroup`).

use std::borrow::Cow;

use crate::address::Address;
use crate::admin::Placement;
use crate::client::base::config::ClientConfig;
use crate::client::operations::tasks::targets::{Members, no_master};
use crate::client::operations::tasks::{Needs, Rule, Target, Then, Write, body};
use crate::error::{Error, ErrorKind};
use crate::sorted::{SortedMap, SortedSet};
use crate::wire::body::{self as bodies, ClusterInfo, DataVersion, NamedGroups};
use crate::wire::command::Command;
use crate::wire::dialect::Dialect;
use crate::wire::fields::FieldError;
use crate::wire::request::{GetGroups, GetGroupsAnswer, Request};

/// How many groups are asked for at once (`ClientConfig.maxPageSizeInGetMetadata`).
const PAGE: i32 = 2000;
/// How often the first page is asked for again, where a later one brings nothing.
const MOST_REPEATS: u32 = 4;
/// Of more groups at one broker none are listed.
const MOST: usize = 262_144;

#[derive(Debug, Default)]
pub(crate) struct GroupNames {
    lists: SortedMap<Address, List>,
}

/// What a broker has named so far.
#[derive(Debug, Default)]
struct List {
    names: SortedSet<String>,
    /// The state of the broker's groups that they are from.
    version: Option<DataVersion>,
    /// How often a page brought nothing, and the first one was asked for again.
    repeats: u32,
}

impl Rule for GroupNames {
    type Gives = Vec<String>;

    /// A few thousand groups are several pages.
    const LEGS: u32 = 4;

    fn words(&self) -> String {
        "list of groups".to_owned()
    }

    fn check(&self, config: &ClientConfig) -> Result<(), Error> {
        config.check_request(GetGroups::CODE, "lists of groups")
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Clusters
    }

    fn targets(&self, clusters: &ClusterInfo, _name_servers: &[Address]) -> Result<Vec<Target>, Error> {
        let masters = Members::of(&Placement::Everywhere, clusters)?.masters;
        if masters.is_empty() {
            return Err(no_master());
        }
        Ok(masters.into_iter().map(Target::Broker).collect())
    }

    fn write(&self, _dialect: Dialect, target: &Target, write: &mut Write<'_>) {
        let list = self.lists.get(target.address());
        let version = list.and_then(|list| list.version).map(|version| bodies::to_vec(&version));
        let header = GetGroups {
            group_seq: Some(list.map_or(0, |list| list.names.len() as i32)),
            // Not an empty text: with binary headers brokers sign the word `null` for that.
            data_version: version.map(|json| Cow::Owned(String::from_utf8_lossy(&json).into_owned())),
            max_group_num: Some(PAGE),
        };
        write(GetGroups::CODE, &header);
    }

    fn take(&mut self, target: &Target, answer: &Command) -> Result<Then, Error> {
        let page: NamedGroups = body(answer)?;
        // Brokers before 5.4 name all groups at once, and not how many there are.
        let total = match answer.header::<GetGroupsAnswer>() {
            Ok(header) => Some(header.total_group_num),
            Err(FieldError::Missing { .. }) => None,
            Err(error) => return Err(Error::new(ErrorKind::MalformedAnswer, error.to_string())),
        };
        self.lists.get_or_default(target.address().clone()).add(page, total, target)
    }

    fn give(&mut self) -> Result<Vec<String>, Error> {
        let names: SortedSet<String> =
            core::mem::take(&mut self.lists).into_values().flat_map(|list| list.names).collect();
        Ok(names.into_iter().collect())
    }
}

impl List {
    /// Adds a page. Java's client leaves the last group out where all but one fit in their pages.
    fn add(&mut self, page: NamedGroups, total: Option<i32>, target: &Target) -> Result<Then, Error> {
        let names = page.subscription_group_table.into_iter().map(|(name, _)| name);
        let Some(total) = total else {
            self.names = names.collect();
            return Ok(Then::Done);
        };
        // The groups have changed meanwhile, and nobody can say from where on this page counts: the first one is asked for again.
        if self.version.replace(page.data_version).is_some_and(|version| version != page.data_version) {
            self.names.clear();
            return Ok(Then::Ask(target.clone()));
        }
        let before = self.names.len();
        self.names.extend(names);
        let (count, total) = (self.names.len(), usize::try_from(total).unwrap_or_default());
        if count >= total {
            return Ok(Then::Done);
        }
        // A broker makes a page first, and looks then how many groups there are and of which state: one that is new by then may be where
        // this page does not look.
        if total <= MOST && count == before && self.repeats < MOST_REPEATS {
            *self = Self { repeats: self.repeats + 1, ..Self::default() };
            return Ok(Then::Ask(target.clone()));
        }
        if total > MOST || count == before {
            let why = format!("{count} groups came, of {total} that there are; {MOST} are listed at the most");
            return Err(Error::new(ErrorKind::MalformedAnswer, why));
        }
        Ok(Then::Ask(target.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a page with these groups, where the broker says that it has so many.
    fn add(list: &mut List, groups: &str, total: usize) -> Result<Then, Error> {
        let page = format!(r#"{{"subscriptionGroupTable":{{{groups}}}}}"#);
        let page: NamedGroups = bodies::from_slice(page.as_bytes()).unwrap();
        list.add(page, Some(total as i32), &Target::Broker("a:1".parse().unwrap()))
    }

    fn first_of(total: usize) -> Result<Then, Error> {
        add(&mut List::default(), r#""G":{"groupName":"G"}"#, total)
    }

    #[test]
    fn a_page_that_brings_nothing_new_has_the_first_asked_for_again_but_not_for_ever() {
        let mut list = List::default();
        let (one, both) = (r#""G":{"groupName":"G"}"#, r#""A":{"groupName":"A"},"G":{"groupName":"G"}"#);
        for _ in 0..2 {
            assert!(matches!(add(&mut list, one, 2), Ok(Then::Ask(_))));
        }
        assert!(list.names.is_empty(), "it is asked from the beginning");
        assert!(matches!(add(&mut list, both, 2), Ok(Then::Done)));
        assert_eq!(list.names.len(), 2);
        let mut list = List::default();
        let asked = (0..100).take_while(|_| add(&mut list, one, 2).is_ok()).count();
        assert!(asked < 20, "{asked}");
    }

    #[test]
    fn of_a_broker_that_has_more_groups_than_are_listed_none_is_and_no_further_page_is_asked_for() {
        assert!(matches!(first_of(MOST), Ok(Then::Ask(_))));
        assert_eq!(first_of(MOST + 1).unwrap_err().kind(), ErrorKind::MalformedAnswer);
    }
}
