//! Visitors who are known by the certificate that they show.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use sha2::{Digest, Sha256};
use stgclient_core::wire::code::RequestCode;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;

use crate::scene::{CREATE_ORDERS, PAGE, Scene, TOKEN, Wanted, answer, bearer, close_of, eventually, folder, request};

/// Somebody who gives certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Certified {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server's, for a name or an address.
    pub(crate) fn server(&self, name: &str) -> Certified {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = name.parse().map_or_else(|_| SanType::DnsName(name.try_into().unwrap()), SanType::IpAddress);
        params.subject_alt_names.push(name);
        self.certify(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A visitor's.
    pub(crate) fn visitor(&self) -> Certified {
        self.certify(CertificateParams::new(Vec::new()).unwrap(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn visitor_until(&self, year: i32) -> Certified {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        self.certify(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn certify(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Certified {
        params.extended_key_usages.push(usage);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Certified { certificate: certificate.der().clone(), pem: certificate.pem(), key }
    }

    /// Trusts this one, and shows a certificate or none.
    fn connector(&self, shown: Option<&Certified>, version: &'static SupportedProtocolVersion) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            Some(shown) => builder.with_client_auth_cert(vec![shown.certificate.clone()], shown.private()).unwrap(),
            None => builder.with_no_client_auth(),
        };
        TlsConnector::from(Arc::new(config))
    }
}

impl Certified {
    fn private(&self) -> PrivateKeyDer<'static> {
        self.key.serialize_der().try_into().unwrap()
    }

    /// Accepts as this server, whom it may ask for a certificate of this CA.
    pub(crate) fn acceptor(&self, demands: Option<&Authority>) -> TlsAcceptor {
        use tokio_rustls::rustls::ServerConfig;
        use tokio_rustls::rustls::server::WebPkiClientVerifier;
        let provider = Arc::new(ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = match demands {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder.with_single_cert(vec![self.certificate.clone()], self.private()).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Writes both, in PEM.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        fs::write(&certificate, &self.pem).unwrap();
        fs::write(&key, self.key.serialize_pem()).unwrap();
        (certificate, key)
    }

    fn fingerprint(&self) -> String {
        Sha256::digest(&self.certificate).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }
}

/// A door with TLS that asks for certificates of one CA, and knows two of them.
struct Known {
    scene: Scene,
    /// Of whom the door's own certificate is.
    doors: Authority,
    /// Of whom visitors are.
    visitors: Authority,
    clerk: Certified,
    operator: Certified,
}

impl Known {
    async fn new() -> Self {
        let (doors, visitors, folder) = (Authority::new(), Authority::new(), folder());
        let (clerk, operator) = (visitors.visitor(), visitors.visitor());
        let (certificate, key) = doors.server("127.0.0.1").write(&folder, "door");
        let ca = folder.join("visitors.pem");
        fs::write(&ca, visitors.pem()).unwrap();
        let more = format!(
            "[tls]\ncertificate_file = {certificate:?}\nkey_file = {key:?}\nclient_ca_file = {ca:?}\n\
             [[certificates]]\nname = \"clerk\"\nsha256 = \"{}\"\ntopics = [\"orders\"]\ngroups = [\"shop\"]\n\
             [[certificates]]\nname = \"operator\"\nsha256 = \"{}\"\nadministers = true",
            clerk.fingerprint(),
            operator.fingerprint().replace(':', "").to_lowercase(),
        );
        let scene = Scene::with(Wanted { more: &more, ..Wanted::default() }).await;
        fs::remove_dir_all(folder).unwrap();
        Self { scene, doors, visitors, clerk, operator }
    }

    /// A WebSocket to the broker for who shows this certificate and says this.
    async fn websocket(
        &self,
        shown: Option<&Certified>,
        headers: &[(&str, &str)],
        version: &'static SupportedProtocolVersion,
    ) -> Result<WebSocketStream<TlsStream<TcpStream>>, Error> {
        let name = "127.0.0.1".try_into().unwrap();
        let tls = self.doors.connector(shown, version).connect(name, self.scene.socket().await).await?;
        self.scene.websocket_on(tls, &format!("?target={}", self.scene.broker()), headers).await
    }

    async fn closed(&self, shown: Option<&Certified>, headers: &[(&str, &str)]) -> (u16, String) {
        close_of(self.websocket(shown, headers, &TLS13).await.unwrap()).await
    }
}

/// What a visitor may do: have the topic of orders, have another topic, create one.
async fn rights(mut socket: WebSocketStream<TlsStream<TcpStream>>) -> [bool; 3] {
    let ends = |topic| [("topic", topic), ("queueId", "0")];
    let asked = [
        request(RequestCode::GET_MAX_OFFSET, 1, &ends("orders"), b""),
        request(RequestCode::GET_MAX_OFFSET, 2, &ends("secrets"), b""),
        request(RequestCode::UPDATE_AND_CREATE_TOPIC, 3, &CREATE_ORDERS, b""),
    ];
    let mut may = [false; 3];
    for (may, request) in may.iter_mut().zip(asked) {
        *may = answer(&mut socket, &request).await.code != 16;
    }
    may
}

#[tokio::test]
async fn who_shows_a_listed_certificate_gets_in_with_its_rights() {
    let known = Known::new().await;
    for version in [&TLS13, &TLS12] {
        let clerk = known.websocket(Some(&known.clerk), &[], version).await.unwrap();
        assert_eq!(rights(clerk).await, [true, false, false], "{version:?}");
        let operator = known.websocket(Some(&known.operator), &[], version).await.unwrap();
        assert_eq!(rights(operator).await, [true, true, true], "{version:?}");
    }
    // A page that may come in is who shows its certificate, and no more anonymous.
    let page = known.websocket(Some(&known.operator), &[("Origin", PAGE)], &TLS13).await.unwrap();
    assert_eq!(rights(page).await, [true, true, true]);
}

#[tokio::test]
async fn who_says_nothing_by_tls_is_dropped_in_time() {
    let (doors, folder) = (Authority::new(), folder());
    let (certificate, key) = doors.server("127.0.0.1").write(&folder, "door");
    let more = format!("[tls]\ncertificate_file = {certificate:?}\nkey_file = {key:?}");
    let scene = Scene::with(Wanted { bounds: "handshake_seconds = 0.5", more: &more, ..Wanted::default() }).await;
    fs::remove_dir_all(folder).unwrap();
    let silent = scene.socket().await;
    let late = "stgclient_gateway_dropped_total{why=\"handshake_deadline\"}";
    eventually("he is dropped", || scene.count(late) == 1.0).await;
    drop(silent);
}

#[tokio::test]
async fn a_certificate_that_is_not_listed_is_worth_as_much_as_none() {
    let known = Known::new().await;
    let unlisted = known.visitors.visitor();
    for shown in [Some(&unlisted), None] {
        assert_eq!(known.closed(shown, &[]).await, (4401, "a token is needed".to_owned()));
        let by_token = known.websocket(shown, &[("Sec-WebSocket-Protocol", &bearer(TOKEN))], &TLS13).await.unwrap();
        assert_eq!(rights(by_token).await, [true, true, true]);
        let anonymous = known.websocket(shown, &[("Origin", PAGE)], &TLS13).await.unwrap();
        assert_eq!(rights(anonymous).await, [true, true, false]);
    }
}

#[tokio::test]
async fn a_listed_certificate_makes_no_page_and_no_token_right() {
    let known = Known::new().await;
    let shown = Some(&known.operator);
    assert_eq!(known.closed(shown, &[("Origin", "https://evil.example.com")]).await.0, 4403);
    assert_eq!(known.closed(shown, &[("Sec-WebSocket-Protocol", &bearer("wrong"))]).await.0, 4401);
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_time_or_purpose_is_no_connection() {
    let known = Known::new().await;
    let steady = known.visitors.visitor();
    let (other, visitors) = (Authority::new(), &known.visitors);
    let (others, old, server) = (other.visitor(), visitors.visitor_until(2001), visitors.server("127.0.0.1"));
    // The certificate of a listed visitor, which everybody may see, with a key of one's own.
    let (certificate, pem) = (known.operator.certificate.clone(), known.operator.pem.clone());
    let stolen = Certified { certificate, pem, key: KeyPair::generate().unwrap() };
    let mut refused = 0.0;
    for (what, shown) in [("of another CA", &others), ("that has expired", &old), ("of a server", &server)] {
        for version in [&TLS13, &TLS12] {
            // Not even with a token: who shows what is wrong is refused by TLS.
            let headers = [("Sec-WebSocket-Protocol", &*bearer(TOKEN))];
            assert!(known.websocket(Some(shown), &headers, version).await.is_err(), "one {what} got in");
            refused += 1.0;
        }
    }
    let mut connector = known.doors.connector(None, &TLS13).config().as_ref().clone();
    connector.client_auth_cert_resolver = Arc::new(Stolen(stolen));
    let connector = TlsConnector::from(Arc::new(connector));
    let name = "127.0.0.1".try_into().unwrap();
    let through = async {
        let tls = connector.connect(name, known.scene.socket().await).await?;
        known.scene.websocket_on(tls, &format!("?target={}", known.scene.broker()), &[]).await
    };
    assert!(through.await.is_err(), "a certificate without its key got in");
    refused += 1.0;
    eventually("they are counted", || known.scene.count("stgclient_gateway_dropped_total{why=\"tls\"}") == refused)
        .await;
    let unlisted = known.websocket(Some(&steady), &[("Sec-WebSocket-Protocol", &bearer(TOKEN))], &TLS13).await;
    assert_eq!(rights(unlisted.unwrap()).await, [true, true, true], "others still come in");
}

/// Shows a certificate and signs with another key.
#[derive(Debug)]
struct Stolen(Certified);

impl std::fmt::Debug for Certified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certified").finish_non_exhaustive()
    }
}

impl tokio_rustls::rustls::client::ResolvesClientCert for Stolen {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[tokio_rustls::rustls::SignatureScheme],
    ) -> Option<Arc<tokio_rustls::rustls::sign::CertifiedKey>> {
        let key = ring::sign::any_supported_type(&self.0.private()).unwrap();
        Some(Arc::new(tokio_rustls::rustls::sign::CertifiedKey::new(vec![self.0.certificate.clone()], key)))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
