//! Short texts of peers and users: tag expressions, addresses, ids, properties.

use stgclient_core::address::{self, Address};
use stgclient_core::consumer::MessageSelector;
use stgclient_core::producer::{check_group, check_topic};
use stgclient_core::wire::message::{OffsetMessageId, PropertiesRef, UniqueId};
use stgclient_fuzzing::messages::check_properties;

pub fn run(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(expression) = text.parse::<MessageSelector>() {
        assert_eq!(expression.as_str().parse().as_ref(), Ok(&expression));
        let tags = text.split("||").map(|tag| tag.trim_matches(|character| character <= ' '));
        for tag in tags.filter(|tag| !tag.is_empty()) {
            assert!(expression.matches(Some(tag)), "{tag:?}");
        }
    }
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse().as_ref(), Ok(&address));
        assert!(!address.host().is_empty());
    }
    let _ = address::parse_list(text);
    if let Ok(id) = text.parse::<OffsetMessageId>() {
        assert_eq!(id.to_string(), text.to_ascii_uppercase());
    }
    if let Ok(id) = text.parse::<UniqueId>() {
        assert_eq!(id.to_string(), text.to_ascii_uppercase());
    }
    let _ = (check_topic(text), check_group(text));
    check_properties(PropertiesRef::new(text));
}
