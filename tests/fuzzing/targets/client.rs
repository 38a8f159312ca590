//! A whole client, its servers and its user, played by the input.

pub fn run(script: &[u8]) {
    stgclient_fuzzing::client::play(script);
}
