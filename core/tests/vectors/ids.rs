//! `ids.jsonl`: offset ids and unique ids.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use std::net::{IpAddr, SocketAddr};

use line::{Line, same};
use stgclient_core::wire::message::{OffsetMessageId, UniqueId};

/// Checks every line and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    line::check(text, &[], |line| match line.kind() {
        "offset-id" => offset_id(line),
        "decode-offset-id" => decode_offset_id(line),
        "unique-id" => unique_id(line),
        "unique-id-shape" => unique_id_shape(line),
        other => Err(format!("the kind {other} is new")),
    })
}

fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text} is no address"))
}

fn offset_id(line: &Line) -> Result<(), String> {
    let port = u16::try_from(line.integer("port")?).map_err(|error| error.to_string())?;
    let id = OffsetMessageId::new(SocketAddr::new(ip(line.text("ip")?)?, port), line.integer("offset")?.unsigned_abs());
    same("text", &*id.to_string(), line.text("id")?)?;
    same("id", line.text("id")?.parse(), Ok(id))
}

fn decode_offset_id(line: &Line) -> Result<(), String> {
    let ours = line.text("id")?.parse::<OffsetMessageId>();
    if !line.value("error").is_null() {
        return same("whether it is refused", ours.is_err(), true);
    }
    let ours = ours.map_err(|error| error.to_string())?;
    same("host", &*format!("/{}", ours.host()), line.text("address")?)?;
    same("offset", ours.physical_offset(), line.integer("offset")?.unsigned_abs())
}

fn unique_id(line: &Line) -> Result<(), String> {
    let text = line.text("id")?;
    let id: UniqueId = text.parse().map_err(|error| format!("{error}"))?;
    same("address", id.ip(), ip(line.text("ip")?)?)?;
    same("process id", i64::from(id.process_id()), line.integer("pid")?)?;
    same("text", &*id.to_hex(), text)
}

/// Java could not be told what id to make: what it made has to be the beginning of one of ours.
fn unique_id_shape(line: &Line) -> Result<(), String> {
    let prefix = line.text("commonPrefix")?;
    let length = usize::try_from(line.integer("length")?).map_err(|error| error.to_string())?;
    let id: UniqueId = format!("{prefix:0<length$}").parse().map_err(|error| format!("{error}"))?;
    let again = UniqueId::new(id.ip(), id.process_id(), 0, 0, 0);
    same("id", again, id)?;
    same("beginning", again.to_hex().get(..prefix.len()), Some(prefix))
}
