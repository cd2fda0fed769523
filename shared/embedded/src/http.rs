//! Calls of other programs over HTTP: what all clients of this process have in common.

use std::sync::{Arc, OnceLock};

use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

/// A client that tells its name, follows no redirects, leaves judging a status to the caller, and trusts the authorities that the
/// system trusts.
pub(crate) fn config() -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("master-orchestrator/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls())
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
