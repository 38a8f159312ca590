//! JSON as other clients and servers write it, for tests: the same values in other words.

use super::Json;
use crate::random::Random;
use crate::wire::fields::FieldText;

/// The names that stand for numbers, in the order of Java's declarations.
const NAMES: [&[&str]; 4] = [
    &["CONSUME_ACTIVELY", "CONSUME_PASSIVELY", "CONSUME_POP"],
    &["BROADCASTING", "CLUSTERING"],
    &[
        "CONSUME_FROM_LAST_OFFSET",
        "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
        "CONSUME_FROM_MIN_OFFSET",
        "CONSUME_FROM_MAX_OFFSET",
        "CONSUME_FROM_FIRST_OFFSET",
        "CONSUME_FROM_TIMESTAMP",
    ],
    &["CR_SUCCESS", "CR_LATER", "CR_ROLLBACK", "CR_COMMIT", "CR_THROW_EXCEPTION", "CR_RETURN_NULL"],
];

/// The same body in another style.
pub(in crate::wire) fn restyled_body(text: &[u8], seed: u64) -> String {
    restyled(text, seed, false)
}

/// The same header in another style: its fields are texts, and what is not `true` is false.
pub(in crate::wire) fn restyled_header(text: &[u8], seed: u64) -> String {
    restyled(text, seed, true)
}

fn restyled(text: &[u8], seed: u64, is_header: bool) -> String {
    let mut style = Style { random: Random::new(seed), is_header, out: String::new() };
    style.value(Json::parse(text).expect("JSON"));
    style.out
}

struct Style {
    random: Random,
    is_header: bool,
    out: String,
}

impl Style {
    fn choose<'a>(&mut self, forms: &[&'a str]) -> &'a str {
        forms[self.random.below(forms.len() as u64) as usize]
    }

    fn sometimes(&mut self) -> bool {
        self.random.below(5) == 0
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn space(&mut self) {
        let space = self.choose(&["", "", "", " ", "\n\t", "\r\n  "]);
        self.put(space);
    }

    fn value(&mut self, value: Json<'_>) {
        self.space();
        match value {
            Json::Null => self.put("null"),
            Json::Literal(text) => self.literal(&text.text()),
            Json::Text(text) if self.is_header => self.header_text(&text.text()),
            Json::Text(text) => self.body_text(&text.text()),
            Json::Object(_) => self.object(value),
            Json::Array(_) => self.array(value),
        }
        self.space();
    }

    fn literal(&mut self, text: &str) {
        let quoted = format!("\"{text}\"");
        let (plus, zeros) = (format!("+{text}"), format!("00{text}"));
        let forms: &[&str] = match text {
            "true" if !self.is_header => &["true", "\"true\"", "\"TRUE\"", "\"True\"", "1", "\"1\"", "\"Y\""],
            "false" if !self.is_header => &["false", "\"false\"", "\"False\"", "0", "\"0\"", "\"N\"", "2"],
            _ if text.starts_with('-') => &[text, &quoted],
            _ => &[text, &quoted, &plus, &zeros],
        };
        let form = self.choose(forms);
        self.put(form);
    }

    fn header_text(&mut self, text: &str) {
        match text {
            "true" => {
                let form = self.choose(&["true", "\"true\"", "\"TRUE\"", "\"True\""]);
                self.put(form);
            }
            "false" => {
                let form = self.choose(&["false", "\"false\"", "\"FALSE\"", "\"0\"", "\"1\"", "\"no\"", "0"]);
                self.put(form);
            }
            _ if text.parse::<i64>().is_ok() && !self.sometimes() => self.put(text),
            _ => self.text(text),
        }
    }

    fn body_text(&mut self, text: &str) {
        let place = NAMES.iter().find_map(|names| names.iter().position(|name| *name == text));
        match place {
            Some(_) if self.sometimes() => self.text(&text.to_lowercase()),
            Some(place) if self.sometimes() => self.put(&place.to_string()),
            Some(place) if self.sometimes() => self.put(&format!("\"{place}\"")),
            _ => self.text(text),
        }
    }

    fn text(&mut self, text: &str) {
        let quote = if self.sometimes() { '\'' } else { '"' };
        self.out.push(quote);
        for character in text.chars() {
            let is_special = character == quote || character == '\\' || character < ' ';
            if is_special || self.sometimes() {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    self.out.push_str(&format!("\\u{unit:04X}"));
                }
            } else {
                self.out.push(character);
            }
        }
        self.out.push(quote);
    }

    fn name(&mut self, name: FieldText<'_>) {
        let text = name.text();
        if text.starts_with('{') || (text.parse::<i64>().is_ok() && !self.is_header && !self.sometimes()) {
            return self.put(&text);
        }
        self.text(&text);
    }

    fn object(&mut self, object: Json<'_>) {
        // Maps by numbers or queues have no other names.
        let is_map =
            object.members().any(|(name, _)| name.text().starts_with(|c: char| c == '{' || c.is_ascii_digit()));
        self.put("{");
        for (at, (name, value)) in object.members().enumerate() {
            if at > 0 {
                self.put(",");
            }
            if !is_map && self.sometimes() {
                self.put("\"unknown\":null,");
            }
            if self.sometimes() {
                self.name(name);
                self.put(":null,");
            }
            self.space();
            self.name(name);
            self.space();
            self.put(":");
            self.value(value);
        }
        let end = if object.members().next().is_some() && self.sometimes() { ",}" } else { "}" };
        self.put(end);
    }

    fn array(&mut self, array: Json<'_>) {
        let mut elements = array.elements();
        if let (Some(only @ (Json::Text(_) | Json::Object(_))), None) = (elements.next(), elements.next())
            && !matches!(only, Json::Text(text) if text.is(""))
            && self.sometimes()
        {
            return self.value(only);
        }
        self.put("[");
        for (at, element) in array.elements().enumerate() {
            if at > 0 {
                self.put(",");
            }
            if self.sometimes() {
                self.put("null,");
            }
            self.value(element);
        }
        let end = if array.elements().next().is_some() && self.sometimes() { ",]" } else { "]" };
        self.put(end);
    }
}
