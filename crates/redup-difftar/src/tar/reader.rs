//! Reading tar archives of either flavour.

use std::io::{self, Read};

use redup_format::entry::{Attributes, FileType};

use super::pax::Overrides;
use super::{BLOCK_LEN, Limits, number, padding, type_flag};
use crate::error::{Error, HeaderFault};

/// A member's header, extended headers taken into account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarMember {
    /// The name as stored, slashes at its end included.
    pub name: Vec<u8>,
    /// The type byte, one of [`type_flag`].
    pub type_flag: u8,
    /// A symbolic link's target.
    pub link: Vec<u8>,
    /// The lower 12 bits of the mode.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// The owner's name.
    pub uname: Vec<u8>,
    /// The group's name.
    pub gname: Vec<u8>,
    /// Seconds since the epoch; 0 for earlier times.
    pub mtime: i64,
    /// Major and minor number; zeros unless it is a device.
    pub device: (u32, u32),
    /// Bytes of payload.
    pub size: u64,
    /// Where the member begins, its extended headers included.
    pub offset: u64,
}

impl TarMember {
    /// The member's attributes; `None` for a type that backups do not hold.
    pub fn into_attributes(self) -> Option<Attributes> {
        let (major, minor) = self.device;
        let file_type = match self.type_flag {
            type_flag::REGULAR => FileType::Regular,
            type_flag::SYMLINK => FileType::Symlink { target: self.link },
            type_flag::CHAR_DEVICE => FileType::CharDevice { major, minor },
            type_flag::BLOCK_DEVICE => FileType::BlockDevice { major, minor },
            type_flag::DIRECTORY => FileType::Directory,
            type_flag::FIFO => FileType::Fifo,
            _ => return None,
        };
        Some(Attributes {
            file_type,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            uname: self.uname,
            gname: self.gname,
            mtime: self.mtime,
        })
    }
}

/// Reads the members of one archive in turn; as a [`Read`] it gives the payload of the current one.
///
/// The first block of zeros ends the archive, and so does the end of the stream at a member's boundary: both occur,
/// and a stream of no bytes is an archive without members. After an error there are no further members.
///
/// Headers are read one block at a time: give it a stream for which small reads are cheap.
#[derive(Debug)]
pub struct TarReader<R> {
    inner: R,
    limits: Limits,
    offset: u64,
    payload_left: u64,
    padding_left: u64,
    global: Overrides,
    ended: bool,
}

impl<R: Read> TarReader<R> {
    /// Starts at the beginning of an archive.
    pub fn new(inner: R, limits: Limits) -> Self {
        Self {
            inner,
            limits,
            offset: 0,
            payload_left: 0,
            padding_left: 0,
            global: Overrides::default(),
            ended: false,
        }
    }

    /// Goes to the next member, passing over what is left of the current payload. `None` at the archive's end.
    pub fn next_member(&mut self) -> Result<Option<TarMember>, Error> {
        if self.ended {
            return Ok(None);
        }
        let member = self.skip_payload().and_then(|()| self.read_member());
        if !matches!(member, Ok(Some(_))) {
            self.ended = true;
            self.payload_left = 0;
        }
        member
    }

    /// Reads from the current member's payload; 0 at its end.
    pub fn read_payload(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        let wanted = usize::try_from(self.payload_left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.read_some(&mut buf[..wanted])?;
        if count == 0 {
            return Err(self.truncated());
        }
        self.payload_left -= count as u64;
        Ok(count)
    }

    /// Bytes of the current payload that have not been read.
    pub fn payload_left(&self) -> u64 {
        self.payload_left
    }

    /// Reads the stream below to its very end, without looking at what is there, and tells how many bytes that were.
    ///
    /// What follows an archive means nothing, but a stream may vouch for its integrity only at its end.
    pub fn drain(&mut self) -> Result<u64, Error> {
        self.ended = true;
        self.payload_left = 0;
        self.discard(u64::MAX)
    }

    fn read_member(&mut self) -> Result<Option<TarMember>, Error> {
        let offset = self.offset;
        let mut overrides = self.global.clone();
        let Some(mut header) = self.read_header()? else {
            return Ok(None);
        };
        loop {
            match header.entry_type().as_byte() {
                type_flag::PAX => {
                    let data = self.read_extension(&header)?;
                    overrides.apply(&data).map_err(|fault| bad(offset, fault))?;
                }
                type_flag::PAX_GLOBAL => {
                    let data = self.read_extension(&header)?;
                    self.global
                        .apply(&data)
                        .map_err(|fault| bad(offset, fault))?;
                    overrides.apply(&data).map_err(|fault| bad(offset, fault))?;
                }
                type_flag::LONG_NAME => {
                    let name = until_nul(self.read_extension(&header)?);
                    overrides.path.get_or_insert(name);
                }
                type_flag::LONG_LINK => {
                    let link = until_nul(self.read_extension(&header)?);
                    overrides.link.get_or_insert(link);
                }
                _ => break,
            }
            header = match self.read_header()? {
                Some(header) => header,
                None => return Err(self.truncated()),
            };
        }
        let member = assemble(&header, overrides, offset).map_err(|fault| bad(offset, fault))?;
        self.check_len(&member.name, offset)?;
        self.check_len(&member.link, offset)?;
        self.begin_payload(member.size);
        Ok(Some(member))
    }

    /// The next header block; `None` if there is none or it is all zeros.
    fn read_header(&mut self) -> Result<Option<::tar::Header>, Error> {
        let offset = self.offset;
        let mut header = ::tar::Header::new_old();
        let block = header.as_mut_bytes();
        let mut filled = 0;
        while filled < BLOCK_LEN {
            match self.read_some(&mut block[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(self.truncated()),
                count => filled += count,
            }
        }
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        if !checksum_matches(&header) {
            return Err(bad(offset, HeaderFault::Checksum));
        }
        Ok(Some(header))
    }

    /// The payload of an extended header, whole.
    fn read_extension(&mut self, header: &::tar::Header) -> Result<Vec<u8>, Error> {
        let offset = self.offset - BLOCK_LEN as u64;
        let len = size_of(header).map_err(|fault| bad(offset, fault))?;
        if len > self.limits.extension_len {
            return Err(Error::ExtensionTooLong {
                offset,
                len,
                limit: self.limits.extension_len,
            });
        }
        self.begin_payload(len);
        let mut data = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match self.read_payload(&mut chunk)? {
                0 => break,
                count => data.extend_from_slice(&chunk[..count]),
            }
        }
        self.skip_payload()?;
        Ok(data)
    }

    fn begin_payload(&mut self, size: u64) {
        self.payload_left = size;
        self.padding_left = padding(size) as u64;
    }

    fn skip_payload(&mut self) -> Result<(), Error> {
        for left in [self.payload_left, self.padding_left] {
            if self.discard(left)? < left {
                return Err(self.truncated());
            }
        }
        self.payload_left = 0;
        self.padding_left = 0;
        Ok(())
    }

    /// Reads `count` bytes, or as many as there are, to nowhere.
    fn discard(&mut self, count: u64) -> Result<u64, Error> {
        if count == 0 {
            return Ok(0);
        }
        let mut chunk = [0; 8 << 10];
        let mut discarded = 0;
        while discarded < count {
            let left = usize::try_from(count - discarded).unwrap_or(usize::MAX);
            let wanted = left.min(chunk.len());
            match self.read_some(&mut chunk[..wanted])? {
                0 => break,
                read => discarded += read as u64,
            }
        }
        Ok(discarded)
    }

    fn read_some(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.inner.read(buf) {
                Ok(count) => {
                    self.offset = self.offset.saturating_add(count as u64);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Read {
                        offset: self.offset,
                        source,
                    });
                }
            }
        }
    }

    fn check_len(&self, name: &[u8], offset: u64) -> Result<(), Error> {
        if name.len() <= self.limits.name_len {
            return Ok(());
        }
        Err(Error::NameTooLong {
            offset,
            len: name.len(),
            limit: self.limits.name_len,
        })
    }

    fn truncated(&self) -> Error {
        Error::Truncated {
            offset: self.offset,
        }
    }
}

impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_payload(buf)?)
    }
}

fn assemble(
    header: &::tar::Header,
    overrides: Overrides,
    offset: u64,
) -> Result<TarMember, HeaderFault> {
    let fields = header.as_old();
    let type_flag = header.entry_type().as_byte();
    let is_device = matches!(type_flag, type_flag::CHAR_DEVICE | type_flag::BLOCK_DEVICE);
    let mode = number_of(&fields.mode, "mode")?;
    Ok(TarMember {
        name: overrides
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned()),
        type_flag,
        link: overrides
            .link
            .unwrap_or_else(|| until_nul(fields.linkname.to_vec())),
        mode: (mode & i128::from(Attributes::MODE_MASK)) as u32,
        uid: match overrides.uid {
            Some(uid) => uid,
            None => owner_of(&fields.uid, "uid")?,
        },
        gid: match overrides.gid {
            Some(gid) => gid,
            None => owner_of(&fields.gid, "gid")?,
        },
        uname: overrides
            .uname
            .unwrap_or_else(|| header.username_bytes().unwrap_or_default().to_vec()),
        gname: overrides
            .gname
            .unwrap_or_else(|| header.groupname_bytes().unwrap_or_default().to_vec()),
        mtime: match overrides.mtime {
            Some(mtime) => mtime,
            None => number::mtime(number_of(&fields.mtime, "mtime")?)
                .ok_or(HeaderFault::Number("mtime"))?,
        },
        device: if is_device {
            device_of(header)?
        } else {
            (0, 0)
        },
        size: match overrides.size {
            Some(size) => size,
            None => size_of(header)?,
        },
        offset,
    })
}

fn number_of(field: &[u8], name: &'static str) -> Result<i128, HeaderFault> {
    number::field(field).ok_or(HeaderFault::Number(name))
}

fn owner_of(field: &[u8], name: &'static str) -> Result<u64, HeaderFault> {
    number::owner(number_of(field, name)?).ok_or(HeaderFault::Number(name))
}

fn size_of(header: &::tar::Header) -> Result<u64, HeaderFault> {
    u64::try_from(number_of(&header.as_old().size, "size")?)
        .map_err(|_| HeaderFault::Number("size"))
}

/// The device fields lie in the same place in both flavours.
fn device_of(header: &::tar::Header) -> Result<(u32, u32), HeaderFault> {
    let (major, minor): (&[u8], &[u8]) = match (header.as_ustar(), header.as_gnu()) {
        (Some(fields), _) => (&fields.dev_major, &fields.dev_minor),
        (_, Some(fields)) => (&fields.dev_major, &fields.dev_minor),
        _ => return Ok((0, 0)),
    };
    let number =
        |field, name| u32::try_from(number_of(field, name)?).map_err(|_| HeaderFault::Number(name));
    Ok((number(major, "devmajor")?, number(minor, "devminor")?))
}

/// Sums the block with its checksum field blank. Some old writers summed signed bytes.
fn checksum_matches(header: &::tar::Header) -> bool {
    let Some(stored) = number::field(&header.as_old().cksum) else {
        return false;
    };
    let mut blanked = header.clone();
    blanked.as_old_mut().cksum = *b"        ";
    let bytes = blanked.as_bytes();
    let unsigned: i128 = bytes.iter().map(|&byte| i128::from(byte)).sum();
    let signed: i128 = bytes.iter().map(|&byte| i128::from(byte as i8)).sum();
    stored == unsigned || stored == signed
}

fn until_nul(mut text: Vec<u8>) -> Vec<u8> {
    if let Some(end) = text.iter().position(|&byte| byte == 0) {
        text.truncate(end);
    }
    text
}

fn bad(offset: u64, fault: HeaderFault) -> Error {
    Error::BadHeader { offset, fault }
}
