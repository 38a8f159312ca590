//! The message at a place in a broker's commit log, which its id names (`MQAdminImpl.viewMessage`).

use core::net::IpAddr;

use crate::address::Address;
use crate::admin::FoundMessages;
use crate::client::base::config::ClientConfig;
use crate::client::operations::tasks::targets::brokers_of;
use crate::client::operations::tasks::{Needs, Rule, Target, Then, Write, success};
use crate::error::{Error, ErrorKind};
use crate::wire::body::ClusterInfo;
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;
use crate::wire::dialect::Dialect;
use crate::wire::message::OffsetMessageId;
use crate::wire::request::{Request, ViewMessage};

/// How an Apache broker says that there is no message, with a code that says anything (`QueryMessageProcessor.viewMessageById`).
const NO_MESSAGE: &str = "can not find message by the offset";
/// Of so many brokers an error tells where they listen.
const MOST_TOLD: usize = 8;

#[derive(Debug)]
pub(crate) struct MessageAt {
    id: OffsetMessageId,
    found: FoundMessages,
}

impl MessageAt {
    pub(crate) const fn new(id: OffsetMessageId) -> Self {
        Self { id, found: FoundMessages::at(id) }
    }

    /// Nobody but a broker that the name servers know is connected to: an id may come from anywhere, and name anything.
    fn unknown<'a>(&self, known: impl Iterator<Item = &'a Address>) -> Error {
        let known: Vec<_> = known.take(MOST_TOLD).map(Address::as_str).collect();
        let why = format!(
            "the id names a broker at {}, and none listens there that the name servers know (they know {}); an id that a producer gave is looked for by its topic, as a unique key",
            self.id.host(),
            known.join(", "),
        );
        Error::new(ErrorKind::BrokerNotFound, why)
    }
}

impl Rule for MessageAt {
    type Gives = FoundMessages;

    fn words(&self) -> String {
        self.found.words()
    }

    fn check(&self, _config: &ClientConfig) -> Result<(), Error> {
        let offset = self.id.physical_offset();
        let why = || Error::new(ErrorKind::InvalidArgument, format!("no commit log has the offset {offset}"));
        i64::try_from(offset).map(drop).map_err(|_| why())
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Clusters
    }

    fn targets(&self, clusters: &ClusterInfo, _name_servers: &[Address]) -> Result<Vec<Target>, Error> {
        let host = self.id.host();
        let is_there = |address: &Address| {
            address.port() == host.port() && address.host().parse::<IpAddr>().is_ok_and(|ip| ip == host.ip())
        };
        let brokers = brokers_of(clusters);
        let members = brokers.iter().flat_map(|broker| broker.addresses.values().map(move |address| (address, broker)));
        let mut there = members.filter(|(address, _)| is_there(address));
        let Some((address, broker)) = there.next() else {
            return Err(self.unknown(brokers.iter().flat_map(|broker| broker.addresses.values())));
        };
        Ok(vec![Target::Reader(address.clone(), broker.name.clone())])
    }

    fn write(&self, _dialect: Dialect, _target: &Target, write: &mut Write<'_>) {
        let offset = self.id.physical_offset().cast_signed();
        write(ViewMessage::CODE, &ViewMessage { topic: None, offset });
    }

    fn take(&mut self, target: &Target, answer: &Command) -> Result<Then, Error> {
        let remark = answer.remark.as_deref().unwrap_or_default();
        match ResponseCode(answer.code) {
            ResponseCode::SYSTEM_ERROR if remark.starts_with(NO_MESSAGE) => return Ok(Then::Done),
            // Smartgo's.
            ResponseCode::QUERY_NOT_FOUND => return Ok(Then::Done),
            _ => success(answer)?,
        }
        let broker = target.broker_name().cloned().unwrap_or_default();
        self.found.add(broker, answer.body.clone()).map(|()| Then::Done)
    }

    fn give(&mut self) -> Result<FoundMessages, Error> {
        Ok(core::mem::replace(&mut self.found, FoundMessages::at(self.id)))
    }
}
