use core::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use crate::wire::message::{IdError, OffsetMessageId, UniqueId};

proptest! {
    #[test]
    fn offset_ids_come_back(ip in any::<IpAddr>(), port in any::<u16>(), physical_offset in any::<u64>()) {
        let id = OffsetMessageId::new(SocketAddr::new(ip, port), physical_offset);
        let text = id.to_string();
        prop_assert_eq!(text.len(), if ip.is_ipv4() { 32 } else { 56 });
        prop_assert_eq!(text.to_lowercase().parse(), Ok(id));
        prop_assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn unique_ids_come_back(
        ip in any::<IpAddr>(),
        process_id in any::<u16>(),
        client_hash in any::<u32>(),
        millis_since_month in any::<u32>(),
        counter in any::<u16>(),
    ) {
        let id = UniqueId::new(ip, process_id, client_hash, millis_since_month, counter);
        prop_assert_eq!((id.ip(), id.process_id()), (ip, process_id));
        let tail = format!("{process_id:04X}{client_hash:08X}{millis_since_month:08X}{counter:04X}");
        prop_assert!(id.to_hex().ends_with(&tail));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn any_text_is_taken(text in any::<String>(), digits in "[0-9a-fA-F]{32}|[0-9a-fA-F]{56}") {
        let _ = text.parse::<OffsetMessageId>();
        let _ = text.parse::<UniqueId>();
        let id: UniqueId = digits.parse().expect("digits");
        prop_assert_eq!(id.to_string(), digits.to_uppercase());
    }
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!("AC".parse::<UniqueId>(), Err(IdError::Length { length: 2 }));
    assert_eq!("7F00000100002A9F0000000x00000000".parse::<UniqueId>(), Err(IdError::Digit { at: 23 }));
    assert_eq!("é".repeat(16).parse::<UniqueId>(), Err(IdError::Digit { at: 0 }));
    assert_eq!("7F000001000100000000000000000000".parse::<OffsetMessageId>(), Err(IdError::Port { port: 65536 }));
}
