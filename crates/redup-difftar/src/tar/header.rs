//! Headers as they are written.

use redup_format::entry::{Attributes, FileType};

use super::{BLOCK_LEN, pax, type_flag};
use crate::Error;

/// The bytes that stand before a member's payload: its header block, and before that a pax header if the name, an
/// owner or a number does not fit the block.
///
/// Identical to what Python's `tarfile` (3.8 and later, pax format) makes of the same fields. The type comes from
/// [`Attributes::file_type`]; `name` is written as it is, the slash at a directory's end included. A time before the
/// epoch is written as 0.
///
/// Fails only for device numbers of more than 21 bits.
pub fn encode_header(name: &[u8], attributes: &Attributes, size: u64) -> Result<Vec<u8>, Error> {
    let link = match &attributes.file_type {
        FileType::Symlink { target } => target.as_slice(),
        _ => b"",
    };
    let devices = device_numbers(name, &attributes.file_type)?;
    let mtime = u64::try_from(attributes.mtime).unwrap_or(0);

    let mut records = Records::default();
    let block = ustar_block(|fields| {
        records.text("path", &mut fields.name, name);
        records.text("linkpath", &mut fields.linkname, link);
        records.text("uname", &mut fields.uname, &attributes.uname);
        records.text("gname", &mut fields.gname, &attributes.gname);
        octal(
            &mut fields.mode,
            u64::from(attributes.mode & Attributes::MODE_MASK),
        );
        records.number("uid", &mut fields.uid, attributes.uid);
        records.number("gid", &mut fields.gid, attributes.gid);
        records.number("size", &mut fields.size, size);
        records.number("mtime", &mut fields.mtime, mtime);
        fields.typeflag = [type_flag_of(&attributes.file_type)];
        if let Some((major, minor)) = devices {
            octal(&mut fields.dev_major, u64::from(major));
            octal(&mut fields.dev_minor, u64::from(minor));
        }
    });
    let mut bytes = records.encode();
    bytes.extend_from_slice(&block);
    Ok(bytes)
}

/// How many zero bytes follow a payload of `len` bytes.
pub const fn padding(len: u64) -> usize {
    const BLOCK: u64 = BLOCK_LEN as u64;
    ((BLOCK - len % BLOCK) % BLOCK) as usize
}

/// The pax records of one member, in the order in which they are added.
#[derive(Default)]
struct Records(Vec<(&'static str, Vec<u8>)>);

impl Records {
    fn text(&mut self, key: &'static str, field: &mut [u8], value: &[u8]) {
        if !value.is_ascii() || value.len() > field.len() {
            self.0.push((key, value.to_vec()));
        }
        for (slot, byte) in field.iter_mut().zip(ascii_approximation(value)) {
            *slot = byte;
        }
    }

    fn number(&mut self, key: &'static str, field: &mut [u8], value: u64) {
        let digits = field.len() - 1;
        if value >> (3 * digits) == 0 {
            octal(field, value);
        } else {
            self.0.push((key, value.to_string().into_bytes()));
            octal(field, 0);
        }
    }

    /// The pax header with its padding; nothing if there are no records.
    fn encode(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut data = Vec::new();
        if self
            .0
            .iter()
            .any(|(_, value)| std::str::from_utf8(value).is_err())
        {
            pax::push_record(&mut data, "hdrcharset", b"BINARY");
        }
        for (key, value) in &self.0 {
            pax::push_record(&mut data, key, value);
        }
        let block = ustar_block(|fields| {
            let name = b"././@PaxHeader";
            fields.name[..name.len()].copy_from_slice(name);
            octal(&mut fields.mode, 0);
            octal(&mut fields.uid, 0);
            octal(&mut fields.gid, 0);
            octal(&mut fields.size, data.len() as u64);
            octal(&mut fields.mtime, 0);
            fields.typeflag = [type_flag::PAX];
        });
        let mut bytes = block.to_vec();
        bytes.extend_from_slice(&data);
        bytes.resize(bytes.len() + padding(data.len() as u64), 0);
        bytes
    }
}

fn ustar_block(fill: impl FnOnce(&mut ::tar::UstarHeader)) -> [u8; BLOCK_LEN] {
    let mut header = ::tar::Header::new_ustar();
    if let Some(fields) = header.as_ustar_mut() {
        fill(fields);
    }
    // Six digits, NUL, space: the sum is taken with the field itself blank.
    let checksum = &mut header.as_old_mut().cksum;
    *checksum = *b"        ";
    let sum = header.as_bytes().iter().map(|&byte| u64::from(byte)).sum();
    octal(&mut header.as_old_mut().cksum[..7], sum);
    *header.as_bytes()
}

/// Fills `field` with zero-padded digits and a NUL. What does not fit loses its upper digits.
fn octal(field: &mut [u8], mut value: u64) {
    let Some((end, digits)) = field.split_last_mut() else {
        return;
    };
    *end = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value & 7) as u8;
        value >>= 3;
    }
}

/// One `?` for each character that is not ASCII and for each byte that is no character.
fn ascii_approximation(value: &[u8]) -> impl Iterator<Item = u8> {
    value.utf8_chunks().flat_map(|chunk| {
        let characters = chunk.valid().chars();
        characters
            .map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?'))
            .chain(chunk.invalid().iter().map(|_| b'?'))
    })
}

fn type_flag_of(file_type: &FileType) -> u8 {
    match file_type {
        FileType::Regular => type_flag::REGULAR,
        FileType::Directory => type_flag::DIRECTORY,
        FileType::Symlink { .. } => type_flag::SYMLINK,
        FileType::Fifo => type_flag::FIFO,
        FileType::CharDevice { .. } => type_flag::CHAR_DEVICE,
        FileType::BlockDevice { .. } => type_flag::BLOCK_DEVICE,
    }
}

fn device_numbers(name: &[u8], file_type: &FileType) -> Result<Option<(u32, u32)>, Error> {
    let (FileType::CharDevice { major, minor } | FileType::BlockDevice { major, minor }) =
        file_type
    else {
        return Ok(None);
    };
    match [*major, *minor].iter().find(|&number| number >> 21 != 0) {
        Some(&number) => Err(Error::DeviceNumber {
            name: name.to_vec(),
            number,
        }),
        None => Ok(Some((*major, *minor))),
    }
}
