//! Measures stgclient beside the clients that users would pick instead: starts servers and clients in turn, measures
//! the clients from outside, and writes tables and plots.

#[cfg(target_os = "linux")]
mod accounting;
#[cfg(target_os = "linux")]
mod clients;
#[cfg(target_os = "linux")]
mod goals;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod scenario;
#[cfg(target_os = "linux")]
mod servers;
#[cfg(target_os = "linux")]
mod summary;
#[cfg(target_os = "linux")]
mod system_calls;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    plan::run_all(&<plan::Options as clap::Parser>::parse())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("benchmark: processes are measured by what Linux says of them");
    std::process::exit(2);
}
