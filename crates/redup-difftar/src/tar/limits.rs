/// What a reader takes from one member before it calls the archive broken.
///
/// Payloads need no limit: they are streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a member name or a link target. Linux passes at most 4096 to a system call, and a deeper tree can
    /// only be reached step by step; the default of 64 KiB is sixteen times that.
    pub name_len: usize,
    /// Bytes of one extended header, which is held in memory. The default of 256 KiB has room for a name and a link
    /// target of the greatest length and as much again for records that are passed over.
    pub extension_len: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            name_len: 64 << 10,
            extension_len: 256 << 10,
        }
    }
}
