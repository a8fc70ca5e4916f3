//! One member of a difftar, understood.

use redup_format::entry::Attributes;
use redup_format::index::PathIndex;

use super::Content;
use crate::Error;
use crate::member::{MemberKind, MemberName};
use crate::tar::{TarMember, type_flag};

/// A whole entry, or one piece of it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) index: PathIndex,
    pub(super) kind: MemberKind,
    pub(super) piece: Option<u32>,
    pub(super) content: Content,
    /// Bytes of payload in this member.
    pub(super) size: u64,
}

impl Part {
    pub(super) fn understand(member: TarMember) -> Result<Self, Error> {
        let MemberName { kind, index, piece } = MemberName::parse(&member.name)?;
        let size = member.size;
        let content = match kind {
            MemberKind::Deleted => Content::Deleted,
            MemberKind::Snapshot if piece.is_none() => Content::Snapshot(attributes(member)?),
            MemberKind::Snapshot => Content::Snapshot(attributes_of_file(member)?),
            MemberKind::Diff => Content::Diff(attributes_of_file(member)?),
            MemberKind::Signature => return Err(Error::ForeignMember { name: member.name }),
        };
        Ok(Self {
            index,
            kind,
            piece,
            content,
            size,
        })
    }
}

/// The attributes of any member that backups hold.
pub(crate) fn attributes(mut member: TarMember) -> Result<Attributes, Error> {
    let type_flag = member.type_flag;
    let name = std::mem::take(&mut member.name);
    member
        .into_attributes()
        .ok_or(Error::UnexpectedType { name, type_flag })
}

/// The attributes of a member that must be a regular file.
pub(crate) fn attributes_of_file(member: TarMember) -> Result<Attributes, Error> {
    if member.type_flag != type_flag::REGULAR {
        return Err(Error::UnexpectedType {
            name: member.name,
            type_flag: member.type_flag,
        });
    }
    attributes(member)
}
