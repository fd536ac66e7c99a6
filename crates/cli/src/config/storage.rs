//! Where the bytes of resources lie.

use std::{path::PathBuf, str::FromStr};

/// Where the bytes of resources lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of an S3-compatible store; credentials, region and endpoint come from the usual variables.
    S3 {
        /// The bucket.
        bucket: String,
        /// What all keys begin with; may be empty.
        prefix: String,
    },
}

impl FromStr for Storage {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let allowed = "write the path of a folder, or s3://BUCKET or s3://BUCKET/PREFIX";
        match text.split_once("://") {
            None if text.is_empty() => Err(allowed),
            None => Ok(Self::Folder(PathBuf::from(text))),
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(allowed);
                }
                Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
            }
            Some(_) => Err(allowed),
        }
    }
}
