//! Style sheet, scripts and icon: part of the program, so that the console needs no network but its own server.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use orchestrator_engine::api::response::Answer;
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

/// One file.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

/// All of them. `assets/README.md` says where the ones that are not ours come from.
const ASSETS: &[Asset] = &[
    Asset {
        name: "console.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/console.css"),
    },
    Asset {
        name: "console.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/console.js"),
    },
    Asset {
        name: "theme.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/theme.js"),
    },
    Asset {
        name: "htmx.min.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/htmx.min.js"),
    },
    Asset {
        name: "idiomorph-ext.min.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/idiomorph-ext.min.js"),
    },
    Asset {
        name: "icon.svg",
        kind: "image/svg+xml",
        bytes: include_bytes!("../assets/icon.svg"),
    },
];

/// The file with this name. Its address carries a digest of all files, so it may be kept for good.
pub fn answer(name: &str) -> Option<Answer> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    let mut answer = Response::new(Bytes::from_static(asset.bytes));
    *answer.status_mut() = StatusCode::OK;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, forever);
    Some(answer)
}

/// The address of a file.
pub fn url(name: &str) -> String {
    format!("{}/assets/{name}?v={}", crate::url::BASE, version())
}

fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut digest = Sha256::new();
        for asset in ASSETS {
            digest.update(asset.bytes);
        }
        hex::encode(&digest.finalize()[..6])
    })
}
