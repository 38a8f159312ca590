//! `util.jsonl`, its lines about names of topics and groups. (That nobody may send to the servers' own topics is
//! tested where it is decided, in `core/src/producer/validate.rs`.)

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use line::same;
use stgclient_core::producer::{check_group, check_topic};

/// Checks the lines of the kind `validate` and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(r#"{"kind":"validate""#)).collect();
    line::check(&lines.join("\n"), &[], |line| {
        let name = line.text("name")?;
        same("whether the topic is refused", check_topic(name).is_err(), line.value("topicError").is_string())?;
        same("whether the group is refused", check_group(name).is_err(), line.value("groupError").is_string())
    })
}
