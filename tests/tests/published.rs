//! The documents in `docs` that are made from the code: they are as the code says. `cargo xtask schema` writes them.

use tests::repository::root;

/// Write the documents instead of comparing them.
const WRITE: &str = "ORCHESTRATOR_TEST_WRITE_SCHEMAS";

fn is_as_published(file: &str, current: &str) {
    let path = root().join(file);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, current).expect("the documents are writable");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == current,
        "{file} differs from the code (cargo xtask schema writes it)"
    );
}

#[test]
fn the_schema_of_the_dsl_is_published() {
    is_as_published(
        "docs/workflow.schema.json",
        &format!("{:#}\n", orchestrator_core::workflow::json_schema()),
    );
}

#[test]
fn the_schema_of_the_configuration_is_published() {
    is_as_published(
        "docs/configuration.schema.json",
        &format!("{:#}\n", orchestrator_engine::settings::raw::json_schema()),
    );
}

#[test]
fn the_schema_of_alerts_is_published() {
    is_as_published(
        "events/schemas/alert.schema.json",
        &format!("{:#}\n", orchestrator_engine::views::alert::json_schema()),
    );
}

#[test]
fn alerts_in_the_samples_are_alerts() {
    for kind in ["warning", "breached", "resolved"] {
        let text = tests::repository::read(format!("events/alerts/sla_{kind}.json"));
        let sample: serde_json::Value = serde_json::from_str(&text).expect("a sample is JSON");
        let alert: orchestrator_engine::views::AlertView =
            serde_json::from_value(sample["detail"].clone()).expect("the detail is an alert");
        assert_eq!(sample["detail-type"], alert.kind.as_str());
        assert_eq!(
            serde_json::to_value(&alert).expect("plain data"),
            sample["detail"]
        );
    }
}

#[test]
fn the_description_of_the_http_api_is_published() {
    is_as_published("docs/openapi.json", orchestrator_engine::api::openapi::document());
}
