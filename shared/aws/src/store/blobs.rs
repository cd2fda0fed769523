//! Bytes stored under their hash: small ones in the table, large ones in S3.

use sha2::{Digest, Sha256};

use super::Store;
use crate::fault::{Fault, Kind};
use crate::table::item::{bytes, bytes_of};
use crate::table::keys::Key;
use crate::table::{BYTES_MAX, Condition};

/// Longest blob kept in the table if there is a bucket: a larger one costs less in S3.
const INLINE_MAX: usize = 16 * 1024;
const BYTES: &str = "bytes";

impl Store {
    /// Stores the bytes unless they are there. Asking first costs a fraction of a refused write.
    pub(super) async fn keep(&self, hash: [u8; 32], content: &[u8]) -> Result<(), Fault> {
        if self.knows(|known| known.blobs.contains(&hash)) {
            return Ok(());
        }
        let in_bucket = content.len() > INLINE_MAX && self.payloads.has_bucket();
        if in_bucket {
            let name = object(&hash);
            if !self.payloads.exists(&name).await? {
                self.payloads.put(&name, content.to_vec()).await?;
            }
        } else {
            if content.len() > BYTES_MAX {
                return Err(Fault {
                    kind: Kind::Fatal,
                    detail: format!(
                        "{} bytes are too many for an item of the table, and there is no bucket for them (set {})",
                        content.len(),
                        crate::env::BUCKET
                    ),
                });
            }
            let key = Key::blob(&hash);
            if self.table.get(&key).await?.is_none() {
                let mut item = key.to_item();
                item.insert(BYTES.to_owned(), bytes(content));
                // Somebody else may have stored the same bytes since.
                self.table.put(item, 0, Some(Condition::is_new())).await?;
            }
        }
        self.remember(|known| known.blobs.insert(hash));
        Ok(())
    }

    /// The bytes with this hash.
    pub(super) async fn fetch(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        if let Some(item) = self.table.get(&Key::blob(&hash)).await? {
            return bytes_of(&item, BYTES).map(|content| Some(content.to_vec()));
        }
        if !self.payloads.has_bucket() {
            return Ok(None);
        }
        let Some(content) = self.payloads.get(&object(&hash)).await? else {
            return Ok(None);
        };
        let found: [u8; 32] = Sha256::digest(&content).into();
        if found != hash {
            return Err(Fault {
                kind: Kind::Fatal,
                detail: format!("object '{}' is not what was stored (restore it)", object(&hash)),
            });
        }
        Ok(Some(content))
    }
}

fn object(hash: &[u8; 32]) -> String {
    format!("blobs/{}", hex::encode(hash))
}
