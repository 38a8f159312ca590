//! Cuts the fuzzers' seeds from tests/corpus and tests/vectors: for each target, a few inputs of each kind that Java
//! puts on the wire.
//!
//! ```text
//! seeds TESTS_FOLDER OUT_FOLDER
//! ```
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What is longer is left out, in bytes: fuzzers change short inputs more often where it matters.
const LONGEST: usize = 4096;

fn main() {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let (Some(tests), Some(out)) = (arguments.next(), arguments.next()) else {
        panic!("seeds TESTS_FOLDER OUT_FOLDER");
    };
    let mut seeds = Seeds { out, seen: BTreeMap::new() };
    for folder in ["json", "rocketmq"] {
        cut_frames(&tests.join("corpus").join(folder), &mut seeds);
    }
    cut_vectors(&tests.join("vectors"), &mut seeds);
}

struct Seeds {
    out: PathBuf,
    /// How many seeds there are by target and kind.
    seen: BTreeMap<(String, String), usize>,
}

impl Seeds {
    /// Keeps a seed, unless there are three of its kind.
    fn keep(&mut self, target: &str, kind: &str, bytes: &[u8]) {
        let number = self.seen.entry((target.to_owned(), kind.to_owned())).or_default();
        if bytes.len() > LONGEST || *number == 3 {
            return;
        }
        *number += 1;
        let folder = self.out.join(target);
        fs::create_dir_all(&folder).expect("a folder for the seeds");
        fs::write(folder.join(format!("{kind}-{number}")), bytes).expect("a seed");
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn cut_frames(folder: &Path, seeds: &mut Seeds) {
    let frames = fs::read(folder.join("frames.bin")).expect("frames.bin");
    for line in lines(&folder.join("index.jsonl")) {
        let number = |name: &str| line[name].as_u64().unwrap_or_default() as usize;
        let request = line["reqCode"].as_u64().unwrap_or_else(|| line["code"].as_u64().unwrap_or_default());
        let kind = format!("{}-{request}-{}", line["type"].as_str().unwrap_or_default(), number("code"));
        cut_frame(&kind, line["type"] == "response", request, &frames[number("off")..][..number("len")], seeds);
    }
}

/// A frame: its length, its header's type and length, its header, its body.
fn cut_frame(kind: &str, is_answer: bool, request: u64, frame: &[u8], seeds: &mut Seeds) {
    let (mark, rest) = frame[4..].split_first_chunk::<4>().expect("a header's length");
    let (header, body) = rest.split_at((u32::from_be_bytes(*mark) & 0x00FF_FFFF) as usize);
    seeds.keep(if mark[0] == 0 { "json_headers" } else { "binary_headers" }, kind, header);
    // Two lengths of pieces go before the stream.
    seeds.keep("frames", &format!("{}-{kind}", mark[0]), &[&[2, 7, 100], frame].concat());
    if !is_answer {
        seeds.keep("gateway", &format!("{}-{kind}", mark[0]), &[&[1, 2, 7, 100], frame].concat());
    }
    if body.is_empty() {
        return;
    }
    let target = match (is_answer, request) {
        (false, 34) => "body_heartbeat",
        (false, 320) => "batch_records",
        (true, 105) => "body_route",
        (true, 106) => "body_cluster",
        (true, 206) => "body_topics",
        (true, 202) => "body_topic_statistics",
        (true, 38) => "body_consumers",
        (true, 28 | 219) => "body_table",
        (true, 11 | 12 | 33) => "stored_messages",
        _ => return,
    };
    seeds.keep(target, kind, body);
}

fn cut_vectors(folder: &Path, seeds: &mut Seeds) {
    for (number, line) in lines(&folder.join("messages.jsonl")).iter().enumerate() {
        let bytes = unhex(&line["hex"]);
        let target = if line["kind"] == "encode-batch" { "batch_records" } else { "stored_messages" };
        seeds.keep(target, &format!("vector-{number}"), &bytes);
        // The system flag is the ninth word, and the body's length stands behind two hosts of IPv4.
        if line["note"].as_str().is_some_and(|note| note.starts_with("compressed")) {
            let length = u32::from_be_bytes(bytes[84..88].try_into().expect("a length")) as usize;
            let body = bytes.get(88..88 + length).expect("a body");
            seeds.keep("compressed_bodies", &format!("vector-{number}"), &[&[bytes[38] & 7], body].concat());
        }
    }
    for (number, line) in lines(&folder.join("bodies.jsonl")).iter().enumerate() {
        let target = match line["type"].as_str() {
            Some("TopicRouteData") => "body_route",
            Some("ClusterInfo") => "body_cluster",
            Some("HeartbeatData") => "body_heartbeat",
            Some("GetConsumerListByGroupResponseBody") => "body_consumers",
            Some("TopicList") => "body_topics",
            _ => continue,
        };
        seeds.keep(target, &format!("vector-{number}"), line["text"].as_str().unwrap_or_default().as_bytes());
    }
    for (number, line) in lines(&folder.join("filter.jsonl")).iter().enumerate() {
        let expression = line["expression"].as_str().unwrap_or_default();
        seeds.keep("texts", &format!("expression-{number}"), expression.as_bytes());
    }
    for (number, line) in lines(&folder.join("props.jsonl")).iter().enumerate() {
        seeds.keep("texts", &format!("properties-{number}"), &unhex(&line["hex"]));
    }
    for line in lines(&folder.join("ids.jsonl")) {
        seeds.keep("texts", "id", line["id"].as_str().unwrap_or_default().as_bytes());
    }
    for address in ["127.0.0.1:9876;name:1", "[::1]:9876", "::1:9876"] {
        seeds.keep("texts", "address", address.as_bytes());
    }
}

fn unhex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap_or_default().as_bytes();
    let digit = |digit: u8| (digit as char).to_digit(16).expect("a hexadecimal digit") as u8;
    digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
