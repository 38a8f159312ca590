//! The files that a configuration names.

use std::fs::File;
use std::path::PathBuf;

use super::{Config, ConfigError};

/// Opens each file once, so that one that is missing is told with the key that names it.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    for (key, path) in named(config) {
        File::open(path).map_err(|error| ConfigError::new(&format!("{key}: {}", path.display()), error))?;
    }
    Ok(())
}

/// All files, with the keys that name them.
fn named(config: &Config) -> impl Iterator<Item = (String, &PathBuf)> {
    let Config { tls, cluster, tokens, jwt, .. } = config;
    let mut all = Vec::new();
    if let Some(tls) = tls {
        all.push(("tls.key_file", Some(&tls.key_file)));
        all.push(("tls.certificate_file", Some(&tls.certificate_file)));
        all.push(("tls.client_ca_file", tls.client_ca_file.as_ref()));
    }
    if let Some(tls) = &cluster.tls {
        all.push(("cluster.tls.ca_file", tls.ca_file.as_ref()));
        all.push(("cluster.tls.certificate_file", tls.certificate_file.as_ref()));
        all.push(("cluster.tls.key_file", tls.key_file.as_ref()));
    }
    all.push(("cluster.credentials.secret_key_file", cluster.credentials.as_ref().map(|one| &one.secret_key_file)));
    all.push(("jwt.key_file", jwt.as_ref().map(|jwt| &jwt.key_file)));
    let single = all.into_iter().filter_map(|(key, path)| Some((key.to_owned(), path?)));
    single.chain(tokens.iter().map(|token| (format!("tokens {:?}: token_file", token.name), &token.token_file)))
}
