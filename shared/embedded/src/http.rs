//! Calls of other programs over HTTP: what all clients of this process have in common.

use std::sync::{Arc, OnceLock};

use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

/// A client that tells its name, follows no redirects and leaves judging a status to the caller. One that `is_secure` trusts the
/// authorities that the system trusts; reading their certificates takes a while, so ask with [`is_secure`].
pub fn config(is_secure: bool) -> ConfigBuilder<AgentScope> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("master-orchestrator/", env!("CARGO_PKG_VERSION")));
    match is_secure {
        true => config.tls_config(tls()),
        false => config,
    }
}

/// Whether a client for this address has to speak TLS.
pub fn is_secure(url: &str) -> bool {
    let scheme = url.get(..8);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

fn tls() -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::Specific(roots()))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

/// Certificates of the system, read once. A system without any can call no `https://` address.
fn roots() -> Arc<Vec<Certificate<'static>>> {
    static ROOTS: OnceLock<Arc<Vec<Certificate<'static>>>> = OnceLock::new();
    let read = || {
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors.iter().take(3) {
            tracing::warn!(%error, "certificates of the system cannot be read");
        }
        Arc::new(
            found
                .certs
                .iter()
                .map(|certificate| Certificate::from_der(certificate).to_owned())
                .collect(),
        )
    };
    Arc::clone(ROOTS.get_or_init(read))
}
