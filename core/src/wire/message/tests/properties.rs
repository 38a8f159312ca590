use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::wire::message::properties::{MAX_LENGTH, Properties, PropertiesRef, PropertyError};

/// `MessageDecoder.string2messageProperties`, as it is written in Java but for characters in place of UTF-16 units.
fn as_java_reads(text: &str) -> BTreeMap<String, String> {
    let characters: Vec<char> = text.chars().collect();
    let index_of = |character, from: usize| (from..characters.len()).find(|&index| characters[index] == character);
    let mut map = BTreeMap::new();
    let mut index = 0;
    while index < characters.len() {
        let new_index = index_of('\u{2}', index).unwrap_or(characters.len());
        if new_index - index >= 3
            && let Some(separator) = index_of('\u{1}', index)
            && separator > index
            && separator + 1 < new_index
        {
            map.insert(
                characters[index..separator].iter().collect(),
                characters[separator + 1..new_index].iter().collect(),
            );
        }
        index = new_index + 1;
    }
    map
}

fn as_we_read(properties: PropertiesRef<'_>) -> BTreeMap<String, String> {
    properties.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

proptest! {
    #[test]
    fn any_text_is_read_as_java_reads_it(text in "[ab\u{1}\u{2}值]{0,24}") {
        let ours = PropertiesRef::new(&text);
        let java = as_java_reads(&text);
        prop_assert_eq!(&as_we_read(ours), &java);
        for name in ["a", "b", "ab", "值", "", "a\u{1}b"] {
            prop_assert_eq!(ours.get(name), java.get(name).map(String::as_str));
        }
        prop_assert_eq!(as_we_read(ours.to_properties().view()), java);
    }

    #[test]
    fn setting_and_removing_is_that_of_a_map(
        start in "[ab\u{1}\u{2}]{0,12}",
        steps in prop::collection::vec(("[a-d]{0,2}", "[a-d\u{1}\u{2}]{0,3}", any::<bool>()), 0..12),
    ) {
        let mut ours = Properties::from_encoded(start);
        let mut model = as_we_read(ours.view());
        for (name, value, removes) in steps {
            if removes {
                ours.remove(&name);
                model.remove(&name);
            } else if ours.set(&name, &value).is_ok() {
                model.insert(name, value);
            } else {
                let cannot_travel = name.is_empty() || value.is_empty() || value.contains(['\u{1}', '\u{2}']);
                prop_assert!(cannot_travel);
            }
            prop_assert_eq!(as_we_read(ours.view()), model.clone());
            let has_an_end = ours.is_empty() || ours.encoded().ends_with('\u{2}');
            prop_assert!(has_an_end);
        }
    }
}

#[test]
fn what_cannot_travel_is_refused() {
    let mut properties = Properties::new();
    let name = || "a".to_owned();
    assert_eq!(properties.set("", "x"), Err(PropertyError::EmptyName));
    assert_eq!(properties.set("a", ""), Err(PropertyError::EmptyValue { name: name() }));
    assert_eq!(properties.set("a", "\u{2}"), Err(PropertyError::Separator { name: name() }));
    assert_eq!(properties.set("a", "\u{1}"), Err(PropertyError::Separator { name: name() }));
    assert!(matches!(properties.set("\u{1}", "x"), Err(PropertyError::Separator { .. })));
    assert!(properties.is_empty());

    let longest = "x".repeat(MAX_LENGTH - 3);
    assert_eq!(properties.set("a", &longest), Ok(()));
    assert_eq!(properties.encoded().len(), MAX_LENGTH);
    let length = MAX_LENGTH + 1;
    assert_eq!(properties.set("a", &format!("{longest}x")), Err(PropertyError::TooLong { name: name(), length }));
    assert_eq!(properties.get("a"), Some(&*longest));
    assert_eq!(properties.set("a", "short again"), Ok(()));
    assert_eq!(format!("{properties:?}"), r#"{"a": "short again"}"#);
}
