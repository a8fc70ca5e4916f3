//! What the archive stores of an entry besides its contents.

/// The kinds of entries the archive can hold. Sockets have none: they are not backed up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link and the bytes it points to, which need not be a valid path.
    Symlink {
        /// Where the link points, as stored in it.
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharDevice {
        /// The driver's number.
        major: u32,
        /// The device's number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// The driver's number.
        major: u32,
        /// The device's number.
        minor: u32,
    },
}

impl FileType {
    /// Whether this is a regular file, the only kind with contents.
    pub fn is_regular(&self) -> bool {
        *self == Self::Regular
    }

    /// Whether this is a directory.
    pub fn is_directory(&self) -> bool {
        *self == Self::Directory
    }
}

/// The attributes of an entry, in the precision the archive keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// The kind of entry and what is particular to it.
    pub file_type: FileType,
    /// The lower 12 bits: permissions, set-uid, set-gid, sticky.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// The owner's name on the source host; empty when it has none.
    pub uname: Vec<u8>,
    /// The group's name on the source host; empty when it has none.
    pub gname: Vec<u8>,
    /// Whole seconds since the epoch, never negative: the archive has no earlier times.
    pub mtime: i64,
}

impl Attributes {
    /// The 12 bits of a mode that the archive keeps.
    pub const MODE_MASK: u32 = 0o7777;
}
