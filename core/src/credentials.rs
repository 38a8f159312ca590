//! Who a client is to servers with access control.

use core::fmt;

/// An access key, its secret key and perhaps a security token: what requests to servers with access control are signed
/// with. ACL 1.0 calls them so; for auth 2.0 they are a user's name and password.
///
/// The secrets are never shown: not by `Debug`, and not by anything that holds them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) security_token: Option<String>,
}

impl Credentials {
    /// An access key and its secret key.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self { access_key: access_key.into(), secret_key: secret_key.into(), security_token: None }
    }

    /// With the token that a service for temporary credentials gave beside the keys. Requests carry it.
    pub fn security_token(mut self, token: impl Into<String>) -> Self {
        self.security_token = Some(token.into());
        self
    }

    /// The access key, which is no secret.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}
