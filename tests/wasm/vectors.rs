//! Core's vectors checked inside WebAssembly: the functions of core's own test behind one exported function, with
//! nothing generated around it and nothing imported. `run.mjs` calls it.

#[path = "../../core/tests/vectors/acl.rs"]
mod acl;
#[path = "../../core/tests/vectors/allocate.rs"]
mod allocate;
#[path = "../../core/tests/vectors/bodies.rs"]
mod bodies;
#[path = "../../core/tests/vectors/filter.rs"]
mod filter;
#[path = "../../core/tests/vectors/ids.rs"]
mod ids;
#[path = "../../core/tests/vectors/lenient.rs"]
mod lenient;
#[path = "../../core/tests/vectors/messages.rs"]
mod messages;
#[path = "../../core/tests/vectors/props.rs"]
mod props;
#[path = "../../core/tests/vectors/remoting.rs"]
mod remoting;
#[path = "../../core/tests/vectors/util.rs"]
mod util;

/// Checks the file of this number, whose text is the `length` bytes from `start` on. Returns how many lines passed;
/// or, when one did not, the negative length of a message that has then replaced the beginning of the text.
///
/// # Safety
///
/// The bytes belong to the caller and nobody else uses them during the call. `run.mjs` keeps that by adding pages to
/// the memory and writing there: Rust's allocator takes only pages that it has added itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn run_vectors(file: u32, start: *mut u8, length: usize) -> i64 {
    // SAFETY: as the caller promises.
    let bytes = unsafe { std::slice::from_raw_parts_mut(start, length) };
    match check(file, bytes) {
        Ok(lines) => lines as i64,
        Err(message) => {
            let told = message.len().min(length);
            bytes[..told].copy_from_slice(&message.as_bytes()[..told]);
            -(told as i64)
        }
    }
}

fn check(file: u32, bytes: &[u8]) -> Result<usize, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    match file {
        0 => acl::check(text),
        1 => allocate::check(text),
        2 => bodies::check(text),
        3 => filter::check(text),
        4 => ids::check(text),
        5 => messages::check(text),
        6 => props::check(text),
        7 => remoting::check(text),
        8 => util::check(text),
        9 => lenient::check(text),
        _ => Err(format!("there is no file {file}")),
    }
}
