//! PEM files and what is wrong with them.

use std::path::PathBuf;

use stgclient::{ErrorKind, Tls, TlsBuilder};

use crate::authority::{Authority, VALID};
use crate::connect;
use crate::front::{Manner, Secured};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{name}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn everything_may_come_from_files() {
    let (folder, authority, clients) = (Folder::new("files"), Authority::new(), Authority::new());
    let manner = Manner { clients: Some(std::sync::Arc::new(clients)), ..Manner::default() };
    let client = manner.clients.as_ref().unwrap().certify(&["client"], VALID);
    let secured = Secured::start(&authority.certify_loopback(), &manner).await;
    // Other CAs beside it do not matter.
    let ca = folder.write("ca.pem", &[Authority::new().pem, authority.pem].concat());
    let certificate = folder.write("client.pem", &client.certificate);
    let key = folder.write("client.key", &client.key);
    let tls = Tls::builder().ca_file(ca).client_certificate_files(certificate, key);
    connect(&secured.name_server, tls).await.unwrap().close().await;
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    let (folder, authority) = (Folder::new("wrong"), Authority::new());
    let ours = authority.certify(&["client"], VALID);
    let others = authority.certify(&["client"], VALID);
    let certificate = folder.write("client.pem", &ours.certificate);
    let key = folder.write("other.key", &others.key);
    let text = folder.write("text.pem", "no PEM");
    let broken = folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    let wrong: [(TlsBuilder, &str); 7] = [
        (Tls::builder().ca_file(folder.0.join("missing.pem")), "missing.pem"),
        (Tls::builder().ca_file(&text), "text.pem: no certificate"),
        (Tls::builder().ca_file(&broken), "broken.pem"),
        (Tls::builder().ca_pem("no PEM"), "the given PEM: no certificate"),
        (Tls::builder().ca_pem(authority.pem.as_str()).client_certificate_files(&certificate, &text), "text.pem"),
        (Tls::builder().ca_pem(authority.pem.as_str()).client_certificate_files(&certificate, &key), "client.pem"),
        (Tls::builder().ca_pem(authority.pem.as_str()).server_name("not a name"), "not a name"),
    ];
    for (builder, words) in wrong {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(words), "{words:?}: {error}");
    }
}

#[test]
fn no_key_is_ever_shown() {
    let authority = Authority::new();
    let ours = authority.certify(&["client"], VALID);
    let builder =
        Tls::builder().ca_pem(authority.pem.as_str()).client_certificate_pem(ours.certificate, ours.key.as_str());
    let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
    let inside = ours.key.lines().nth(1).expect("the key itself");
    let bytes: Vec<String> = inside.bytes().take(8).map(|byte| byte.to_string()).collect();
    assert!(!shown.contains(inside) && !shown.contains(&bytes.join(", ")), "{shown}");
}
