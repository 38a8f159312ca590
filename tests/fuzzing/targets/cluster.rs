//! A whole cluster, whose clients are played by the input.

pub fn run(script: &[u8]) {
    stgclient_fuzzing::cluster::play(script);
}
