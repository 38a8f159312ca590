//! What becomes of a message's properties: which are refused, which are added (`AbstractSendMessageProcessor`,
//! `SendMessageProcessor`).

use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::{PropertiesRef, property};
use stgclient_core::wire::request::SendMessage;

use super::super::refusal::Refusal;
use super::Broker;

/// How many messages one of a batch queue holds.
const INNER_NUM: &str = "INNER_NUM";

/// The handle of a POP receipt, which no producer may set (`clearReservedProperties`).
const POP_CK: &str = "POP_CK";

impl Broker {
    /// Smartgo's reads none of them. What Apache's would do wrong in silence it refuses, in Apache's words where Apache's can be configured to. Returns
    /// the delay level, 0 or less when there is none, which makes exact times void (`HookUtils.checkIfTimerMessage`).
    /// Of a dead letter the level is not read.
    pub(super) fn check_properties(
        &self,
        header: &SendMessage<'_>,
        sent: PropertiesRef<'_>,
        is_dead: bool,
    ) -> Result<i32, Refusal> {
        if self.dialect == Dialect::Smartgo {
            return Ok(0);
        }
        let (mut delay_level, mut is_half, mut is_timed) = (0, false, false);
        for (name, value) in sent {
            match name {
                property::TRAN_MSG => is_half = value.eq_ignore_ascii_case("true"),
                property::TIMER_DELAY_SEC | property::TIMER_DELAY_MS | property::TIMER_DELIVER_MS => is_timed = true,
                // No batch of a batch queue (`HookUtils.checkInnerBatch`).
                INNER_NUM => return Err(self.illegal()),
                property::DELAY if !is_dead => {
                    delay_level = value
                        .parse()
                        .map_err(|_| Refusal::thrown(format!("NumberFormatException: the delay level {value:?}")))?;
                }
                _ => {}
            }
        }
        // Old clients leave the mark on the message of a transaction that they send to a retry topic.
        let is_retried = header.reconsume_times.is_some_and(|times| times > 0) && delay_level > 0;
        if is_half && !is_retried {
            let remark = format!("the broker[{}] sending transaction message is forbidden", self.config.host());
            return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
        }
        if is_timed && delay_level <= 0 {
            let remark = "accurate timer message is not enabled, timerWheelEnable is false";
            return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
        }
        Ok(delay_level)
    }

    /// Appends to `out` the properties that are stored: those sent, and what the broker adds (`buildMsgContext`,
    /// `sendMessage`). Says whether they need no unique key: there
    /// is one among them, or nobody knows such keys.
    pub(super) fn stored_properties(&self, sent: PropertiesRef<'_>, out: &mut String) -> bool {
        let mut has_key = false;
        if self.dialect == Dialect::Smartgo {
            out.push_str(sent.encoded());
            return true;
        }
        for (name, value) in sent {
            match name {
                property::MSG_REGION | property::TRACE_ON | property::CLUSTER | POP_CK => continue,
                property::TIMER_DELAY_SEC | property::TIMER_DELAY_MS | property::TIMER_DELIVER_MS => continue,
                property::UNIQ_KEY => has_key = true,
                _ => {}
            }
            push(out, name, value);
        }
        push(out, property::MSG_REGION, &self.config.region);
        push(out, property::TRACE_ON, if self.config.trace_on { "true" } else { "false" });
        push(out, property::CLUSTER, &self.cluster);
        has_key
    }
}

/// Appends a property.
pub(super) fn push(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push('\u{1}');
    out.push_str(value);
    out.push('\u{2}');
}
