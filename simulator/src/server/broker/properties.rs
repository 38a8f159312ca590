//! What becomes of a message's properties: which are refused, which are added (`AbstractSendMessageProcessor`,
//! `SendMessageProcessor`).

use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::message::{PropertiesRef, property};

use super::super::reply::Refusal;
use super::Broker;

/// The handle of a POP receipt, which no producer may set (`clearReservedProperties`).
const POP_CK: &str = "POP_CK";

impl Broker {
    /// What this broker would do wrong in silence it refuses, in Apache's words where Apache's can be configured to.
    pub(super) fn refuse_unsupported(&self, sent: PropertiesRef<'_>) -> Result<(), Refusal> {
        for (name, value) in sent {
            match name {
                property::TRAN_MSG if value.eq_ignore_ascii_case("true") => {
                    let remark = format!("the broker[{}] sending transaction message is forbidden", self.config.host());
                    return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
                }
                property::TIMER_DELAY_SEC | property::TIMER_DELAY_MS | property::TIMER_DELIVER_MS => {
                    let remark = "accurate timer message is not enabled, timerWheelEnable is false";
                    return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
                }
                property::DELAY if value.parse().is_ok_and(|level: i32| level > 0) => {
                    return Err(Refusal::new(ResponseCode::MESSAGE_ILLEGAL, "this broker has no delay levels"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Appends to `out` the properties that are stored: those sent, and what the broker adds (`buildMsgContext`,
    /// `sendMessage`). Says whether there is a unique key among them.
    pub(super) fn stored_properties(&self, sent: PropertiesRef<'_>, out: &mut String) -> bool {
        let mut has_key = false;
        for (name, value) in sent {
            match name {
                property::MSG_REGION | property::TRACE_ON | property::CLUSTER | POP_CK => continue,
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
