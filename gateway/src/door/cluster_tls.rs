//! TLS towards the servers of the cluster.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::door::config::{ClusterTls, ConfigError};
use crate::door::dialing;

/// What connects, and the name that certificates have to be for, if it is not that of the server.
pub(crate) fn connector(config: &ClusterTls) -> Result<dialing::ClusterTls, ConfigError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::new("cluster.tls", error))?
        .with_root_certificates(roots(config.ca_file.as_deref())?);
    let client = match (&config.certificate_file, &config.key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, private)
                .map_err(|error| wrong(certificate, error))?
        }
        _ => return Err(ConfigError::new("cluster.tls", "certificate_file and key_file go together")),
    };
    let name = match &config.server_name {
        None => None,
        Some(name) => Some(
            ServerName::try_from(name.clone()).map_err(|error| ConfigError::new("cluster.tls.server_name", error))?,
        ),
    };
    Ok((TlsConnector::from(Arc::new(client)), name))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| wrong(path, error))?;
            }
        }
        None => {
            // A platform's list has old ones that nobody can read.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(ConfigError::new("cluster.tls", "the platform has no CAs; give ca_file"));
            }
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let all = CertificateDer::pem_file_iter(path).map_err(|error| wrong(path, error))?;
    all.collect::<Result<_, _>>().map_err(|error| wrong(path, error))
}

fn wrong(path: &Path, why: impl std::fmt::Display) -> ConfigError {
    ConfigError::new(&path.display().to_string(), why)
}
