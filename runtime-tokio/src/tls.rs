//! TLS: whom to trust, who we are, and what to say when the two sides do not agree.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stgclient_core::address::Address;
use stgclient_core::error::{Error, ErrorKind};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, Error as RustlsError, InvalidMessage, RootCertStore,
};

use crate::failure::{Failure, Lasts};
use crate::resolve;

/// Whom to trust, and who we are: for `ClientBuilder::tls`. Cheap to clone.
///
/// Servers are always verified: their certificate has to be of a trusted CA, valid now, and for the name or the IP
/// address that the client connects to. Routes mostly give brokers' IP addresses, so the certificates have to name
/// those, or [`TlsBuilder::server_name`] says which name they have instead.
///
/// ```no_run
/// # async fn run() -> Result<(), stgclient::Error> {
/// use stgclient::{Client, Credentials, Tls};
///
/// let tls = Tls::builder().ca_file("ca.pem").build()?;
/// let credentials = Credentials::new("access key", "secret key");
/// let client = Client::builder("mq.example.com:9876").tls(tls).credentials(credentials).connect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

/// Sets [`Tls`] up.
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct TlsBuilder {
    authorities: Vec<Pem>,
    /// Our certificate and its key.
    client: Option<(Pem, Pem)>,
    server_name: Option<String>,
}

/// Where a text in PEM is.
#[derive(Clone)]
enum Pem {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Tls {
    /// Trusts the CAs of the platform and shows no certificate of ours, unless told otherwise.
    pub fn builder() -> TlsBuilder {
        TlsBuilder::default()
    }

    /// Opens a connection and agrees on keys. The core watches over the time.
    pub(crate) async fn connect(self, address: Address) -> Result<TlsStream<TcpStream>, Failure> {
        let name = match self.server_name {
            Some(name) => name,
            None => ServerName::try_from(address.host().to_owned()).map_err(|_| Failure {
                words: format!("no certificate can be for {}: set TlsBuilder::server_name", address.host()),
                lasts: Lasts::Tls,
                cause: None,
            })?,
        };
        let stream = resolve::connect(address).await?;
        TlsConnector::from(self.config).connect(name, stream).await.map_err(|error| match error.kind() {
            // As well it may be restarting, so another try may help.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                let words = "closed by the server during the TLS handshake; perhaps it does not speak TLS";
                Failure::because_of(words.to_owned(), error)
            }
            _ => error.into(),
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl TlsBuilder {
    /// Trusts the CAs whose certificates stand in this PEM file, and no longer those of the platform.
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Self {
        self.authorities.push(Pem::File(path.as_ref().to_owned()));
        self
    }

    /// As [`ca_file`](Self::ca_file), with the PEM text itself.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(Pem::Bytes(pem.into()));
        self
    }

    /// Shows servers this certificate, followed in its PEM file by those that lead to its CA, and proves by its private
    /// key that it is ours.
    pub fn client_certificate_files(mut self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.client = Some((Pem::File(certificate.as_ref().to_owned()), Pem::File(key.as_ref().to_owned())));
        self
    }

    /// As [`client_certificate_files`](Self::client_certificate_files), with the PEM texts themselves.
    pub fn client_certificate_pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.client = Some((Pem::Bytes(certificate.into()), Pem::Bytes(key.into())));
        self
    }

    /// The name or IP address that every server's certificate has to be for, instead of the one that the client
    /// connects to.
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = Some(name.to_owned());
        self
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`]: a file cannot be read or is no PEM, the key is not that of the certificate, the
    /// server name is none, or the platform has no CAs.
    pub fn build(self) -> Result<Tls, Error> {
        let server_name = match self.server_name {
            Some(name) => Some(ServerName::try_from(name.clone()).map_err(|_| wrong("the server name", &name))?),
            None => None,
        };
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config =
            config.map_err(|error| wrong("versions", error))?.with_root_certificates(roots(&self.authorities)?);
        let config = match self.client {
            Some((certificate, key)) => {
                let private = PrivateKeyDer::from_pem_slice(&key.read()?).map_err(|error| wrong(&key, error))?;
                let certificates = certificate.certificates()?;
                config.with_client_auth_cert(certificates, private).map_err(|error| wrong(&certificate, error))?
            }
            None => config.with_no_client_auth(),
        };
        Ok(Tls { config: Arc::new(config), server_name })
    }
}

impl fmt::Debug for TlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsBuilder").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl Pem {
    fn read(&self) -> Result<Vec<u8>, Error> {
        match self {
            Self::File(path) => std::fs::read(path).map_err(|error| wrong(self, error)),
            Self::Bytes(bytes) => Ok(bytes.clone()),
        }
    }

    /// All certificates of it, at least one.
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.read()?).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => Err(wrong(self, "no certificate in it")),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(wrong(self, error)),
        }
    }
}

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Bytes(_) => f.write_str("the given PEM"),
        }
    }
}

/// The CAs to trust.
fn roots(given: &[Pem]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for pem in given {
        for certificate in pem.certificates()? {
            roots.add(certificate).map_err(|error| wrong(pem, error))?;
        }
    }
    if given.is_empty() {
        let platform = rustls_native_certs::load_native_certs();
        // A platform's list has old ones that nobody can read.
        roots.add_parsable_certificates(platform.certs);
        if roots.is_empty() {
            let why = platform.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
            return Err(wrong("the platform's CAs", format_args!("{why}; give a CA of your own")));
        }
    }
    Ok(roots)
}

fn wrong(what: impl fmt::Display, why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("TLS: {what}: {why}"))
}

/// What an error of a stream means, if it is one of TLS, and what to do about it; and whether no other try helps.
pub(crate) fn explain(error: &io::Error) -> Option<(String, bool)> {
    let error: &RustlsError = error.get_ref()?.downcast_ref()?;
    Some(match error {
        RustlsError::InvalidCertificate(error) => (explain_certificate(error), true),
        RustlsError::AlertReceived(alert) => (explain_alert(*alert), true),
        RustlsError::InvalidMessage(InvalidMessage::InvalidContentType) => {
            ("the server does not speak TLS".to_owned(), true)
        }
        RustlsError::PeerIncompatible(_) => (error.to_string(), true),
        _ => (error.to_string(), false),
    })
}

fn explain_certificate(error: &CertificateError) -> String {
    match error {
        // The signature is wrong when the CA has the name of a trusted one, but not its key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate is of a CA that is not trusted: give its CA (TlsBuilder::ca_file)".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired: the server needs a new one".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: is the clock right?".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the server's certificate is for {}, not for {}: connect by a name that it is for, or set \
             TlsBuilder::server_name",
            presented.join(", "),
            expected.to_str()
        ),
        other => format!("the server's certificate is not accepted: {other}"),
    }
}

fn explain_alert(alert: AlertDescription) -> String {
    match alert {
        // Java's servers call a certificate that is not there a bad one.
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::HandshakeFailure
        | AlertDescription::UnknownCA => format!(
            "refused by the server ({alert:?}): perhaps it demands a certificate of ours that it trusts \
             (TlsBuilder::client_certificate_files)"
        ),
        _ => format!("refused by the server ({alert:?})"),
    }
}
