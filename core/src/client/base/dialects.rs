//! What a dialect has no word for, and how it shows that the servers speak another one.

use crate::client::base::config::ClientConfig;
use crate::consumer::MessageSelector;
use crate::consumer::push::ConsumeFrom;
use crate::error::{Error, ErrorKind};
use crate::producer::Message;
use crate::wire::body::ExpressionType;
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::command::{Command, HeaderCodec, Language};
use crate::wire::dialect::Dialect;
use crate::wire::message::property;

/// How smartgo's servers refuse a field whose name is not written as Go writes it (`protocol.DecodeCommandCustomHeader`).
const NO_SUCH_FIELD: &str = "No such field";

impl ClientConfig {
    /// Whether the dialect can say what the rest of the configuration wants.
    ///
    /// # Errors
    /// It cannot.
    pub(crate) fn check_dialect(&self) -> Result<(), Error> {
        match self.dialect() {
            Dialect::Apache => Ok(()),
            Dialect::Smartgo if self.connection.codec != HeaderCodec::Json => Err(unknown("binary headers")),
            Dialect::Smartgo if self.credentials.is_some() => Err(unknown("signed requests")),
            Dialect::Smartgo => Ok(()),
        }
    }

    /// Whether the servers do what a message asks of them: smartgo's would deliver it at once instead of holding it back.
    ///
    /// # Errors
    /// They do not.
    pub(crate) fn check_message(&self, message: &Message) -> Result<(), Error> {
        match self.dialect() {
            Dialect::Smartgo if message.properties().get(property::DELAY).is_some() => Err(unknown("delay levels")),
            Dialect::Smartgo if self.dialect().owns_topic(message.topic()) => Err(owned(message.topic())),
            Dialect::Apache | Dialect::Smartgo => Ok(()),
        }
    }

    /// Whether a topic may be created, changed or deleted. `is_server` says whether a broker or a cluster is called so: each has
    /// a topic of its own name.
    ///
    /// # Errors
    /// It is the servers' own, and they would do it.
    pub(crate) fn check_topic_to_change(&self, topic: &str, is_server: impl Fn(&str) -> bool) -> Result<(), Error> {
        let dialect = self.dialect();
        let is_owned = dialect.owns_topic(topic) || (!dialect.guards_topics() && is_server(topic));
        if is_owned { Err(owned(topic)) } else { Ok(()) }
    }

    /// Whether servers answer requests of this code; `what` is what they would be asked.
    ///
    /// # Errors
    /// They do not.
    pub(crate) fn check_request(&self, code: RequestCode, what: &str) -> Result<(), Error> {
        if self.dialect().knows(code) { Ok(()) } else { Err(unknown(what)) }
    }

    /// Whether brokers find messages by their keys.
    ///
    /// # Errors
    /// They do not.
    pub(crate) fn check_queries(&self) -> Result<(), Error> {
        if self.dialect().finds_by_key() {
            return Ok(());
        }
        let why = "smartgo's brokers (Dialect::Smartgo) answer that they have no such message, whatever key they are asked for";
        Err(Error::new(ErrorKind::InvalidArgument, why))
    }

    /// Whether brokers can have a group go on there.
    ///
    /// # Errors
    /// They cannot.
    pub(crate) fn check_reset(&self, to: ConsumeFrom) -> Result<(), Error> {
        match (self.dialect(), to) {
            // They would take the time -1 for the one before all messages.
            (Dialect::Smartgo, ConsumeFrom::LastOffset) => {
                Err(unknown("resets to the end; one to a time that is not over goes to the last message of each queue"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the dialect knows such expressions.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn check_selector(&self, selector: &MessageSelector) -> Result<(), Error> {
        match (self.dialect(), selector.expression_type()) {
            (Dialect::Smartgo, ExpressionType::Sql92) => Err(unknown("SQL92 expressions")),
            _ => Ok(()),
        }
    }
}

/// A topic that nobody may touch.
fn owned(topic: &str) -> Error {
    let why = format!(
        "the topic {topic} belongs to smartgo's servers (Dialect::Smartgo): they would let anybody change it, which harms all others, so it is neither sent to nor created, changed or deleted"
    );
    Error::new(ErrorKind::InvalidArgument, why)
}

fn unknown(what: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("smartgo's servers (Dialect::Smartgo) do not know {what}"))
}

impl ClientConfig {
    /// What to do about a name server that refused us because it speaks another dialect, if it did.
    pub(crate) fn wrong_dialect(&self, answer: &Command) -> Option<Error> {
        let code = ResponseCode(answer.code);
        let remark = answer.remark.as_deref().unwrap_or_default();
        let is_smartgo = matches!(answer.language, Language::GOLANG | Language::NONE);
        let advice = match self.dialect() {
            _ if code == ResponseCode::SUCCESS => return None,
            Dialect::Apache if is_smartgo || remark.starts_with(NO_SUCH_FIELD) => {
                "this is a server of smartgo's: set the client's dialect to Dialect::Smartgo"
            }
            Dialect::Smartgo if !is_smartgo => {
                "this is no server of smartgo's: leave the client's dialect at Dialect::Apache"
            }
            Dialect::Apache | Dialect::Smartgo => return None,
        };
        Some(Error::answered(ErrorKind::WrongDialect, advice, code, remark))
    }
}
