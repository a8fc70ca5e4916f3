//! What the records of all results have in common: paths, times, and what a path is.

use redup_engine::{Aspect, PathState};
use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;
use serde::Serialize;

use crate::ui::difference::path_bytes;
use crate::ui::format::utc_time;

/// A path inside a backup: as text where it is text, else its bytes in hexadecimal digits.
#[derive(Serialize)]
pub(super) struct Path<'a> {
    path: Option<&'a str>,
    path_hex: Option<String>,
}

impl<'a> Path<'a> {
    pub(super) fn of(index: &'a PathIndex) -> Self {
        let (path, path_hex) = text_or_hex(path_bytes(index));
        Self { path, path_hex }
    }

    /// Of what is about no path.
    pub(super) fn none() -> Self {
        Self {
            path: None,
            path_hex: None,
        }
    }
}

/// What a path is.
#[derive(Serialize)]
pub(super) struct State<'a> {
    r#type: &'static str,
    size_at_least: Option<u64>,
    size_at_most: Option<u64>,
    mode: String,
    mtime: Option<String>,
    mtime_seconds: i64,
    uid: u64,
    gid: u64,
    user: Option<&'a str>,
    group: Option<&'a str>,
    link_target: Option<&'a str>,
    link_target_hex: Option<String>,
    device_major: Option<u32>,
    device_minor: Option<u32>,
}

impl<'a> State<'a> {
    pub(super) fn of(state: &'a PathState) -> Self {
        let size = state.size.as_ref();
        Self {
            size_at_least: size.map(|size| *size.start()),
            size_at_most: size.map(|size| *size.end()),
            ..Self::of_attributes(&state.attributes)
        }
    }

    pub(super) fn of_attributes(attributes: &'a Attributes) -> Self {
        let (link_target, link_target_hex) = match &attributes.file_type {
            FileType::Symlink { target } => text_or_hex(target),
            _ => (None, None),
        };
        let device = match attributes.file_type {
            FileType::CharDevice { major, minor } | FileType::BlockDevice { major, minor } => {
                Some((major, minor))
            }
            _ => None,
        };
        Self {
            r#type: type_name(&attributes.file_type),
            size_at_least: None,
            size_at_most: None,
            mode: format!("{:04o}", attributes.mode & Attributes::MODE_MASK),
            mtime: utc_time(attributes.mtime),
            mtime_seconds: attributes.mtime,
            uid: attributes.uid,
            gid: attributes.gid,
            user: name(&attributes.uname),
            group: name(&attributes.gname),
            link_target,
            link_target_hex,
            device_major: device.map(|(major, _)| major),
            device_minor: device.map(|(_, minor)| minor),
        }
    }
}

/// The words for what differs.
pub(super) fn aspects(what: &[Aspect]) -> Vec<&'static str> {
    let word = |aspect: &Aspect| match aspect {
        Aspect::Type => "type",
        Aspect::Content => "content",
        Aspect::ContentUnknown => "content_unknown",
        Aspect::LinkTarget => "link_target",
        Aspect::Device => "device",
        Aspect::Mode => "mode",
        Aspect::Owner => "owner",
        Aspect::Mtime => "mtime",
        _ => "other",
    };
    what.iter().map(word).collect()
}

pub(super) fn type_name(file_type: &FileType) -> &'static str {
    match file_type {
        FileType::Regular => "file",
        FileType::Directory => "directory",
        FileType::Symlink { .. } => "symlink",
        FileType::Fifo => "fifo",
        FileType::CharDevice { .. } => "char_device",
        FileType::BlockDevice { .. } => "block_device",
    }
}

fn text_or_hex(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            (None, Some(digits.collect()))
        }
    }
}

fn name(name: &[u8]) -> Option<&str> {
    std::str::from_utf8(name)
        .ok()
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: &[u8]) -> String {
        serde_json::to_string(&Path::of(&PathIndex::from_bytes(bytes).unwrap())).unwrap()
    }

    #[test]
    fn every_path_is_told_without_loss() {
        assert_eq!(path(b""), r#"{"path":".","path_hex":null}"#);
        assert_eq!(
            path("ü/a\n\x1b\"".as_bytes()),
            r#"{"path":"ü/a\n\u001b\"","path_hex":null}"#
        );
        assert_eq!(path(b"a/\xff"), r#"{"path":null,"path_hex":"612fff"}"#);
    }
}
