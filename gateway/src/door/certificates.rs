//! TLS of the door: its certificate, which may be replaced while the gateway runs, and whom visitors' certificates are of.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::door::config::{ConfigError, TlsConfig};

/// The certificates of a door.
pub(crate) struct Certificates {
    config: TlsConfig,
    /// What new connections are accepted with; those that stand keep what they began with.
    acceptor: RwLock<TlsAcceptor>,
}

impl Certificates {
    pub(crate) fn new(config: TlsConfig) -> Result<Self, ConfigError> {
        let acceptor = RwLock::new(read(&config)?);
        Ok(Self { config, acceptor })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files once more. If something is wrong with them all stays as it is.
    pub(crate) fn reload(&self) -> Result<(), ConfigError> {
        let acceptor = read(&self.config)?;
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }
}

fn read(config: &TlsConfig) -> Result<TlsAcceptor, ConfigError> {
    let of = |path: &Path, why: &dyn std::fmt::Display| ConfigError::new(&path.display().to_string(), why);
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::new("tls", error))?;
    let builder = match &config.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| of(path, &error))?;
            }
            // Whoever shows none may have a token.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| of(path, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&config.key_file).map_err(|error| of(&config.key_file, &error))?;
    let mut server = builder
        .with_single_cert(certificates(&config.certificate_file)?, key)
        .map_err(|error| of(&config.certificate_file, &error))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let of = |why: &dyn std::fmt::Display| ConfigError::new(&path.display().to_string(), why);
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|error| of(&error))?.collect();
    match all {
        Ok(all) if all.is_empty() => Err(of(&"no certificate in it")),
        Ok(all) => Ok(all),
        Err(error) => Err(of(&error)),
    }
}
