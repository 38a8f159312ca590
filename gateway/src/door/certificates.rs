//! TLS of the door: its certificate, which may be replaced while the gateway runs, and whom visitors' certificates are of.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig};

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
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::new("tls", error))?;
    let builder = match &config.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| ConfigError::new("tls.client_ca_file", error);
            let mut roots = RootCertStore::empty();
            for certificate in certificates("tls.client_ca_file", path)? {
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
            // Whoever shows none may have a token.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| wrong(&error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates("tls.certificate_file", &config.certificate_file)?;
    let mut server = builder.with_single_cert(chain, private_key(&config.key_file)?).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            let why = "it does not belong to the first certificate of tls.certificate_file; write the key of that one";
            ConfigError::new("tls.key_file", why)
        }
        error => ConfigError::new("tls.certificate_file", error),
    })?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            ConfigError::new("tls.key_file", "there is no private key in it; write one in PEM, without a password")
        }
        error => unreadable("tls.key_file", path, &error),
    })
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let wrong = |error| unreadable(key, path, &error);
    let all: Vec<_> = CertificateDer::pem_file_iter(path).map_err(wrong)?.collect::<Result<_, _>>().map_err(wrong)?;
    if all.is_empty() {
        return Err(ConfigError::new(key, "there is no certificate in it; write one in PEM"));
    }
    Ok(all)
}

fn unreadable(key: &str, path: &Path, error: &pem::Error) -> ConfigError {
    ConfigError::new(&format!("{key}: {}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A certificate and its key.
    fn certified() -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        [params.self_signed(&key).unwrap().pem(), key.serialize_pem()]
    }

    /// What is said of a certificate and a key with these texts in them.
    fn said(certificate: &str, key: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("stgclient-gateway-tls-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let (certificate_file, key_file) = (write("door.pem", certificate), write("door.key", key));
        let read = Certificates::new(TlsConfig { certificate_file, key_file, client_ca_file: None });
        fs::remove_dir_all(folder).unwrap();
        read.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn files_of_tls_that_were_mixed_up_are_told_by_their_keys() {
        let ([certificate, key], [_, other_key]) = (certified(), certified());
        assert_eq!(said(&certificate, &key), "");
        assert!(said(&certificate, &certificate).starts_with("tls.key_file: there is no private key in it"));
        assert!(said(&key, &key).starts_with("tls.certificate_file: there is no certificate in it"));
        assert!(said(&certificate, &other_key).starts_with("tls.key_file: it does not belong to"));
    }
}
