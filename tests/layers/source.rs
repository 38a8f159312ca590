//! Reads what a Rust file imports, as far as that is needed: paths that begin in the crate.

/// What a file refers to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// Paths in `use` and elsewhere, with their first word: `crate`, `self`, `super`, or a name.
    pub(crate) paths: Vec<Vec<String>>,
    /// What it gives on under its own name, by `pub use`: the name (`*` for all) and the path.
    pub(crate) exports: Vec<(String, Vec<String>)>,
    /// The items that it defines.
    pub(crate) items: Vec<String>,
}

impl Source {
    pub(crate) fn read(text: &str) -> Self {
        let mut reader = Reader { tokens: tokens(text), at: 0, source: Self::default(), depth: 0 };
        while reader.at < reader.tokens.len() {
            reader.step();
        }
        reader.source
    }
}

/// Words and signs without comments, texts and lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let starts = |at: usize, sign: &str| sign.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if starts(at, "//") {
            at += chars[at..].iter().position(|c| *c == '\n').unwrap_or(chars.len() - at);
        } else if starts(at, "/*") {
            let mut depth = 0;
            loop {
                depth += i32::from(starts(at, "/*")) - i32::from(starts(at, "*/"));
                at += if starts(at, "/*") || starts(at, "*/") { 2 } else { 1 };
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if let Some(end) = text_end(&chars, at) {
            at = end;
        } else if c == '\'' {
            // A character, or a lifetime.
            let is_char = chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'');
            at += 1;
            if is_char {
                at += if chars[at] == '\\' { 2 } else { 1 };
                at += chars[at..].iter().position(|c| *c == '\'').map_or(1, |end| end + 1);
            }
        } else if is_word(c) {
            let end = chars[at..].iter().position(|c| !is_word(*c)).map_or(chars.len(), |length| at + length);
            tokens.push(chars[at..end].iter().collect());
            at = end;
        } else if starts(at, "::") {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            at += 1;
        }
    }
    tokens
}

/// Where the text that begins at `at` ends, if one begins there.
fn text_end(chars: &[char], at: usize) -> Option<usize> {
    let mut start = at;
    while matches!(chars.get(start), Some('b' | 'r' | 'c')) && start < at + 2 {
        start += 1;
    }
    let is_raw = chars[at..start].contains(&'r');
    let hashes = if is_raw { chars[start..].iter().take_while(|c| **c == '#').count() } else { 0 };
    let is_inside_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if chars.get(start + hashes) != Some(&'"') || (start > at && is_inside_word) {
        return None;
    }
    let mut end = start + hashes + 1;
    while end < chars.len() {
        match chars[end] {
            '\\' if !is_raw => end += 2,
            '"' if chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes => {
                return Some(end + 1 + hashes);
            }
            _ => end += 1,
        }
    }
    Some(chars.len())
}

struct Reader {
    tokens: Vec<String>,
    at: usize,
    source: Source,
    /// How many modules in the file are open around this place, which `super` goes through.
    depth: usize,
}

const ITEMS: [&str; 9] = ["struct", "enum", "fn", "trait", "type", "const", "static", "macro_rules", "mod"];

impl Reader {
    fn token(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", String::as_str)
    }

    fn is(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.token(ahead) == *word)
    }

    fn step(&mut self) {
        if self.is(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            self.at += 7;
            self.skip_item();
        } else if self.token(0) == "use" && self.token(1) != "<" {
            self.at += 1;
            let is_export = self.is_exported();
            let mut found = Vec::new();
            self.tree(&Vec::new(), &mut found);
            for (name, path) in found {
                if is_export {
                    self.source.exports.push((name, path.clone()));
                }
                self.note(path, is_export);
            }
        } else if matches!(self.token(0), "crate" | "super" | "self") && self.token(1) == "::" {
            let mut path = vec![self.token(0).to_owned()];
            self.at += 1;
            while self.token(0) == "::" && self.token(1).starts_with(|c: char| c.is_alphabetic() || c == '_') {
                path.push(self.token(1).to_owned());
                self.at += 2;
            }
            self.note(path, false);
        } else {
            if ITEMS.contains(&self.token(0)) {
                let ahead = if self.token(1) == "!" { 2 } else { 1 };
                let name = self.token(ahead).to_owned();
                self.source.items.push(name);
                // What stands in a module of this file is read as if it stood in the file.
                if self.token(0) == "mod" && self.token(2) == "{" {
                    self.inline_module();
                    return;
                }
            }
            self.at += 1;
        }
    }

    /// Reads a module that stands in this file, one floor deeper for `super`.
    fn inline_module(&mut self) {
        self.at += 3;
        self.depth += 1;
        let mut braces = 1;
        while braces > 0 && self.at < self.tokens.len() {
            match self.token(0) {
                "{" => braces += 1,
                "}" => braces -= 1,
                _ => {}
            }
            if matches!(self.token(0), "{" | "}") { self.at += 1 } else { self.step() }
        }
        self.depth -= 1;
    }

    fn note(&mut self, mut path: Vec<String>, is_export: bool) {
        // From inside a module of this file the first `super` leads to the file itself.
        for _ in 0..self.depth {
            if path.first().is_some_and(|word| word == "super") {
                path.remove(0);
                if path.first().is_none_or(|word| word != "super") {
                    path.insert(0, "self".to_owned());
                }
            }
        }
        if !is_export && !self.source.paths.contains(&path) {
            self.source.paths.push(path);
        }
    }

    /// Whether the `use` just begun gives on what it names.
    fn is_exported(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).and_then(|at| self.tokens.get(at)).map(String::as_str);
        before(2) == Some("pub")
            || (before(2) == Some(")") && self.tokens[..self.at - 1].iter().rev().take(6).any(|token| token == "pub"))
    }

    /// One branch of what is used.
    fn tree(&mut self, before: &[String], found: &mut Vec<(String, Vec<String>)>) {
        let mut path = before.to_vec();
        loop {
            match self.token(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while !matches!(self.token(0), "}" | ";" | "") {
                        self.tree(&path, found);
                        if self.token(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "," | "}" | ";" | "" => break,
                "as" => {
                    let alias = self.token(1).to_owned();
                    self.at += 2;
                    return found.push((alias, path));
                }
                word => {
                    if word != "self" || path.is_empty() {
                        path.push(word.to_owned());
                    }
                    self.at += 1;
                }
            }
        }
        if let Some(name) = path.last().cloned() {
            found.push((name, path));
        }
    }

    fn skip_item(&mut self) {
        let mut braces = 0;
        while self.at < self.tokens.len() {
            match self.token(0) {
                "{" => braces += 1,
                "}" => braces -= 1,
                _ => {}
            }
            let ends = braces == 0 && matches!(self.token(0), "}" | ";");
            self.at += 1;
            if ends {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    fn paths(text: &str) -> Vec<String> {
        Source::read(text).paths.iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn all_forms_of_imports_are_read() {
        let text =
            "use crate::a::{self, b::{C, D as E}, *};\nuse super::x;\nfn f() { crate::y::z(); let _: super::W; }";
        let expected =
            ["crate::a", "crate::a::b::C", "crate::a::b::D", "crate::a::*", "super::x", "crate::y::z", "super::W"];
        assert_eq!(paths(text), expected);
    }

    #[test]
    fn what_is_no_code_or_only_for_tests_is_passed_over() {
        let text = r##"//! crate::a
            /* crate::b /* crate::c */ crate::d */
            const S: &str = "crate::e \" crate::f"; const R: &str = r#"crate::g"#; const C: char = '"'; fn f<'a>() {}
            #[cfg(test)] mod tests { use crate::h; fn g() { crate::i() } }
            #[cfg(test)] mod more;
            use crate::j;"##;
        assert_eq!(paths(text), ["crate::j"]);
    }

    #[test]
    fn a_module_in_the_file_is_the_file() {
        assert_eq!(
            paths("mod m { use super::A; use super::super::B; } use super::C;"),
            ["self::A", "super::B", "super::C"]
        );
    }

    #[test]
    fn what_is_given_on_is_known_by_its_name() {
        let source = Source::read("mod a; pub use a::{B, C as D}; pub(crate) use a::*; use a::E; pub struct F;");
        let exports: Vec<_> = source.exports.iter().map(|(name, path)| format!("{name}={}", path.join("::"))).collect();
        assert_eq!(exports, ["B=a::B", "D=a::C", "*=a::*"]);
        assert_eq!(source.items, ["a", "F"]);
        assert_eq!(source.paths, [["a", "E"]]);
    }
}
