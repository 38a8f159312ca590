//! `util.jsonl`: checksums, compression, flags, permissions, and the numbers of languages, versions and codes.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use line::{Line, same};
use stgclient_core::wire::body::Permission;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Language;
use stgclient_core::wire::compression::{Compression, DEFAULT_ZLIB_LEVEL, compress, decompress};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::java;
use stgclient_core::wire::message::sys_flag;
use stgclient_core::wire::request::{PULL_FLAG_COMMIT_OFFSET, PULL_FLAG_SUBSCRIPTION, PULL_FLAG_SUSPEND};

/// The kinds that are about parts which do not exist yet, and how many lines they have. `validate` is for `names.rs`.
const LATER: &[(&str, usize)] = &[
    ("bytes2string", 2),
    ("delayLevels", 1),
    ("names", 3),
    ("namespace", 11),
    ("offset2FileName", 4),
    ("validate", 13),
    ("vip", 2),
];

/// Checks every line but those of [`LATER`] and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    line::check(text, LATER, |line| match line.kind() {
        "crc32" => same("CRC", i64::from(java::body_crc(&line.bytes("hex")?)), line.integer("crc")?),
        "compress" => compression(line),
        "pullSysFlag" => pull_flag(line),
        "perm" => permission(line),
        "sysFlags" => sys_flags(line),
        "versions" => same("version", i64::from(Dialect::Apache.version()), line.integer("current")?),
        "language" => language(line),
        "requestCode" => request_code(line),
        "responseCode" => response_code(line),
        other => Err(format!("the kind {other} is new")),
    })
}

/// Both have to be read: what Java compressed and what we do. The compressed bytes differ from library to library.
fn compression(line: &Line) -> Result<(), String> {
    let plain = line.bytes("plainHex")?;
    let compression = match line.text("type")? {
        "ZLIB" => Compression::Zlib { level: DEFAULT_ZLIB_LEVEL },
        "LZ4" => Compression::Lz4,
        "ZSTD" => Compression::Zstd,
        other => return Err(format!("the type {other} is new")),
    };
    let bits = i64::from(compression.sys_flag() & sys_flag::COMPRESSION_MASK);
    same("flag", bits, line.integer("flag")?)?;
    for compressed in [line.bytes("hex")?, compress(&plain, compression).to_vec()] {
        let again = decompress(&compressed, compression.sys_flag(), plain.len()).map_err(|error| error.to_string())?;
        same("body", &*again, &*plain)?;
        let cut = compressed.len().saturating_sub(1);
        same("a cut body", decompress(&compressed[..cut], compression.sys_flag(), plain.len()).is_err(), true)?;
        if let Some(limit) = plain.len().checked_sub(1) {
            same("a body too long", decompress(&compressed, compression.sys_flag(), limit).is_err(), true)?;
        }
    }
    Ok(())
}

fn pull_flag(line: &Line) -> Result<(), String> {
    // Class filters no longer exist; the bit of lite pulls is not sent by us.
    const CLASS_FILTER: i32 = 8;
    const LITE: i32 = 16;
    let bit = |name: &str, bit: i32| line.truth(name).map(|set| if set { bit } else { 0 });
    let ours = bit("commit", PULL_FLAG_COMMIT_OFFSET)?
        | bit("suspend", PULL_FLAG_SUSPEND)?
        | bit("subscription", PULL_FLAG_SUBSCRIPTION)?
        | bit("classFilter", CLASS_FILTER)?;
    same("flag", i64::from(ours), line.integer("flag")?)?;
    same("flag of a lite pull", i64::from(ours | LITE), line.integer("lite")?)
}

fn permission(line: &Line) -> Result<(), String> {
    let ours = Permission(i32::try_from(line.integer("perm")?).map_err(|error| error.to_string())?);
    same("text", &*ours.to_string(), line.text("text")?)?;
    same("readable", ours.is_readable(), line.truth("read")?)?;
    same("writable", ours.is_writable(), line.truth("write")?)?;
    same("inherited", ours.is_inherited(), line.truth("inherit")?)
}

fn sys_flags(line: &Line) -> Result<(), String> {
    let ours = [
        ("COMPRESSED", sys_flag::COMPRESSED),
        ("MULTI_TAGS", sys_flag::MULTI_TAGS),
        ("PREPARED", sys_flag::TRANSACTION_PREPARED),
        ("COMMIT", sys_flag::TRANSACTION_COMMIT),
        ("ROLLBACK", sys_flag::TRANSACTION_ROLLBACK),
        ("BORN_V6", sys_flag::BORN_HOST_V6),
        ("STORE_V6", sys_flag::STORE_HOST_V6),
        ("NEED_UNWRAP", sys_flag::NEED_UNWRAP),
        ("INNER_BATCH", sys_flag::INNER_BATCH),
        ("LZ4", sys_flag::COMPRESSION_LZ4),
        ("ZSTD", sys_flag::COMPRESSION_ZSTD),
        ("ZLIB", sys_flag::COMPRESSION_ZLIB),
    ];
    ours.into_iter().try_for_each(|(name, bits)| same(name, i64::from(bits), line.integer(name)?))
}

fn language(line: &Line) -> Result<(), String> {
    let code = u8::try_from(line.integer("code")?).map_err(|error| error.to_string())?;
    same("name", Language(code).name(), line.text("name")?)?;
    same("code", Language::from_name(line.text("name")?), Language(code))
}

fn code_of(line: &Line) -> Result<i32, String> {
    i32::try_from(line.integer("code")?).map_err(|error| error.to_string())
}

/// Java has two names for some numbers; ours has to be one of them.
fn request_code(line: &Line) -> Result<(), String> {
    let code = RequestCode(code_of(line)?);
    same("name", code.name(), Some(line.text("name")?))
}

fn response_code(line: &Line) -> Result<(), String> {
    let code = ResponseCode(code_of(line)?);
    same("name", code.name(), Some(line.text("name")?))
}
