//! Which refusals another try may overcome.

use crate::wire::code::ResponseCode;

/// Whether a send that was refused with `code` is tried again: `DefaultMQProducer.retryResponseCodes`, but never an
/// authentication failure, which no try overcomes and which a retry would only hide.
pub(crate) const fn is_retryable(code: ResponseCode) -> bool {
    matches!(
        code,
        ResponseCode::TOPIC_NOT_EXIST
            | ResponseCode::SERVICE_NOT_AVAILABLE
            | ResponseCode::SYSTEM_ERROR
            | ResponseCode::SYSTEM_BUSY
            | ResponseCode::NO_BUYER_ID
            | ResponseCode::NOT_IN_CURRENT_UNIT
            | ResponseCode::GO_AWAY
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn these_codes_and_no_others_are_tried_again() {
        let codes = ResponseCode::ALL.iter().map(|(code, _)| *code).filter(|code| is_retryable(*code));
        let mut numbers: Vec<i32> = codes.map(|code| code.0).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 14, 17, 204, 205, 1500]);
    }
}
