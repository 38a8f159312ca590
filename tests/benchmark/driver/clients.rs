//! The clients' programs: what has to be run for each, or why it cannot be.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::scenario::{Contestant, Program};
use crate::servers::program;

/// What has to be run for each contestant.
pub(crate) struct Clients {
    /// The words of the command, or what went wrong when it was built.
    commands: BTreeMap<&'static str, Result<Vec<String>, String>>,
}

impl Clients {
    /// Builds what these contestants need.
    pub(crate) fn build(root: &Path, contestants: &[Contestant]) -> Self {
        let mut commands = BTreeMap::new();
        for contestant in contestants {
            let name = contestant.program.name();
            commands.entry(name).or_insert_with(|| {
                eprintln!("building {name}");
                let command = match contestant.program {
                    Program::OursMeasuringLock => build_measuring_lock(root),
                    Program::Ours(name) => program(name).map(|path| vec![path.display().to_string()]),
                    Program::Peer(name) => build(&root.join("tests/benchmark/clients").join(name)),
                };
                command.map_err(|error| error.to_string())
            });
        }
        Self { commands }
    }

    /// The command of a contestant.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn command(&self, contestant: &Contestant) -> Result<Command, String> {
        let words =
            self.commands.get(contestant.program.name()).cloned().unwrap_or_else(|| Err("not built".to_owned()))?;
        let (program, arguments) = words.split_first().ok_or("its build named no program")?;
        let mut command = Command::new(program);
        command.args(arguments);
        Ok(command)
    }
}

/// Runs a client's script `build`, whose lines are the words of the command.
fn build(folder: &Path) -> io::Result<Vec<String>> {
    Ok(said_by(&mut Command::new(folder.join("build")))?.lines().map(str::to_owned).collect())
}

/// Builds our client with the feature `measure-lock`, in a folder of its own, so that the one that is compared
/// stays as it is.
fn build_measuring_lock(root: &Path) -> io::Result<Vec<String>> {
    let ours = program("stgclient-client")?;
    let target = ours.ancestors().nth(2).ok_or_else(|| io::Error::other("no target folder"))?.join("lock");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--release", "-p", "stgclient-benchmark", "--bin", "stgclient-client"]);
    cargo.args(["--features", "measure-lock", "--target-dir"]).arg(&target).current_dir(root);
    said_by(&mut cargo)?;
    Ok(vec![target.join("release/stgclient-client").display().to_string()])
}

/// The output of a build, or the end of what it complained of.
fn said_by(build: &mut Command) -> io::Result<String> {
    let output = build.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let last: Vec<_> = said.lines().rev().take(3).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        return Err(io::Error::other(format!("cannot be built: {}", last.join(" / "))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
