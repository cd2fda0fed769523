//! The environment variables that are read.

/// Where AWS is, as all SDKs understand it. If it is set, tests use it and start nothing: LocalStack, or an emulator that
/// serves many test programs.
pub const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// The value of [`ENDPOINT`], if it is set and not empty.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn endpoint() -> Option<String> {
    std::env::var(ENDPOINT).ok().filter(|value| !value.is_empty())
}
