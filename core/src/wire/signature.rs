//! The signature of a request, for servers with access control: ACL 1.0 and auth 2.0 have the same.
//!
//! It covers the values of all fields but itself, in the order of their names, and the body
//! (`AclClientRPCHook.doBeforeRequest`, `AclUtils.combineRequestContent`; on the broker's side
//! `DefaultAuthenticationContextBuilder.build`). Brokers check every field they read, so whatever is written has to be
//! signed: the signature is made of the finished header and goes behind it.

use core::fmt;
use core::str;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::command::{self, Head, HeaderCodec};
use super::dialect::Dialect;
use super::fields::{FieldWriter, WriteHeader};
use crate::credentials::Credentials;

/// Signs requests with one set of credentials.
#[derive(Clone)]
pub struct Signer {
    access_key: String,
    security_token: Option<String>,
    /// The secret key, as the beginning of every signature.
    key: Hmac<Sha1>,
}

/// How many characters a signature has: 20 bytes in Base64.
const LENGTH: usize = 28;

impl Signer {
    /// A signer with these credentials.
    pub fn new(credentials: &Credentials) -> Self {
        let key = Hmac::new_from_slice(credentials.secret_key.as_bytes()).expect("HMAC takes keys of any length");
        let Credentials { access_key, security_token, .. } = credentials.clone();
        Self { access_key, security_token, key }
    }

    /// `fields` with everything that shows who asks: to be written in their place, in the request of this head with
    /// this body and no other.
    pub fn sign<'s>(
        &'s self,
        dialect: Dialect,
        head: &Head<'_>,
        fields: &'s dyn WriteHeader,
        body: &[u8],
    ) -> Signed<'s> {
        let mut signed = Signed { signer: self, fields, signature: None };
        // Written once more as a server reads it: that is what the signature is about.
        let mut frame = BytesMut::with_capacity(512);
        command::encode_head(&mut frame, HeaderCodec::Binary, dialect, head, &signed, 0);
        let mut mac = self.key.clone();
        if let Ok(command) = command::decode(frame.split_off(4).freeze()) {
            let mut pairs: Vec<_> = command.fields.iter().collect();
            pairs.sort_unstable();
            pairs.iter().for_each(|(_, value)| mac.update(value.as_bytes()));
        }
        mac.update(body);
        let mut signature = [0; LENGTH];
        let written = STANDARD.encode_slice(mac.finalize().into_bytes(), &mut signature);
        debug_assert_eq!(written, Ok(LENGTH));
        signed.signature = Some(signature);
        signed
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// The fields of a signed request: those of its header, who asks, and the signature.
#[derive(Clone, Copy)]
pub struct Signed<'s> {
    signer: &'s Signer,
    fields: &'s dyn WriteHeader,
    /// Not while it is being made.
    signature: Option<[u8; LENGTH]>,
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("signer", self.signer).finish_non_exhaustive()
    }
}

impl WriteHeader for Signed<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.fields.write(writer);
        writer.text("AccessKey", &self.signer.access_key);
        if let Some(token) = &self.signer.security_token {
            writer.text("SecurityToken", token);
        }
        if let Some(signature) = self.signature.as_ref().and_then(|signature| str::from_utf8(signature).ok()) {
            writer.text("Signature", signature);
        }
    }
}
