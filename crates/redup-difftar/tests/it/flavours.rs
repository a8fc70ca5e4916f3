//! Tar by the byte: what is written, and the oddities of what is read.

use std::io::Read;

use redup_difftar::tar::{Limits, TarMember, TarReader, encode_header};
use redup_difftar::{Error, HeaderFault};
use redup_format::entry::{Attributes, FileType};

use crate::support::{directory, file, of_type};

#[test]
fn the_root_of_a_full_has_the_header_of_duplicity() {
    let attributes = Attributes {
        mode: 0o755,
        mtime: 1_600_000_100,
        ..directory()
    };
    let header = encode_header(b"snapshot/./", &attributes, 0).unwrap();
    let mut expected = [0; 512];
    for (at, bytes) in [
        (0, &b"snapshot/./"[..]),
        (
            0x64,
            b"0000755\x000000000\x000000000\x0000000000000\x0013727410144\x00011613\x00 5",
        ),
        (0x101, b"ustar\x0000root"),
        (0x129, b"root"),
    ] {
        expected[at..at + bytes.len()].copy_from_slice(bytes);
    }
    assert_eq!(header, expected);
}

#[test]
fn a_name_that_is_not_utf_8_goes_into_a_binary_pax_record() {
    let header = encode_header(b"snapshot/names/bad-\xff\xfe-utf8", &file(), 0o16).unwrap();
    assert_eq!(header.len(), 3 * 512);
    let (pax, rest) = header.split_at(512);
    assert!(pax.starts_with(b"././@PaxHeader\0"));
    assert_eq!((&pax[124..136], pax[156]), (&b"00000000070\0"[..], b'x'));
    let (records, block) = rest.split_at(512);
    let expected = b"21 hdrcharset=BINARY\n35 path=snapshot/names/bad-\xff\xfe-utf8\n\0";
    assert!(records.starts_with(expected));
    assert!(block.starts_with(b"snapshot/names/bad-??-utf8\0"));
    assert_eq!(
        (&block[124..136], block[156]),
        (&b"00000000016\0"[..], b'0')
    );
}

#[test]
fn records_are_written_for_what_does_not_fit_in_the_order_of_tarfile() {
    let target = b"target-\xff\xfe".to_vec();
    let attributes = Attributes {
        uid: 3_000_000_000,
        gid: 2_097_152,
        mtime: 8_589_934_597,
        uname: vec![b'u'; 33],
        ..of_type(FileType::Symlink { target })
    };
    let header = encode_header(b"snapshot/x", &attributes, 0).unwrap();
    let expected = [
        &b"21 hdrcharset=BINARY\n22 linkpath=target-\xff\xfe\n43 uname="[..],
        &[b'u'; 33],
        b"\n18 uid=3000000000\n15 gid=2097152\n20 mtime=8589934597\n\0",
    ];
    assert!(header[512..].starts_with(&expected.concat()));
}

#[test]
fn a_name_of_one_hundred_bytes_needs_no_record() {
    let name = [b'n'; 101];
    assert_eq!(encode_header(&name[..100], &file(), 0).unwrap().len(), 512);
    assert_eq!(encode_header(&name, &file(), 0).unwrap().len(), 1536);
}

#[test]
fn a_device_number_beyond_the_header_is_an_error() {
    let device = of_type(FileType::CharDevice {
        major: 1,
        minor: 1 << 21,
    });
    let result = encode_header(b"snapshot/d", &device, 0);
    assert!(matches!(
        result,
        Err(Error::DeviceNumber {
            number: 2_097_152,
            ..
        })
    ));
}

#[test]
fn an_archive_of_no_bytes_and_one_of_zeros_have_no_members() {
    for archive in [&[][..], &[0; 512], &[0; 10_240]] {
        assert_eq!(reader(archive).next_member().unwrap(), None);
    }
}

#[test]
fn nothing_after_the_first_zero_block_is_looked_at_but_all_is_read() {
    let mut archive = member(b"snapshot/a", b"1");
    archive.extend([0; 512]);
    archive.extend(member(b"snapshot/b", b"2"));
    archive.extend(b"\x8c\x0d\x04\x09junk");
    let mut tar = reader(&archive);
    assert_eq!(names(&mut tar), [b"snapshot/a"]);
    assert_eq!(tar.drain().unwrap(), 1024 + 8);
}

#[test]
fn the_end_of_the_stream_between_members_is_the_end_of_the_archive() {
    let archive = [
        member(b"snapshot/a", b"1"),
        member(b"snapshot/b", &[2; 512]),
    ]
    .concat();
    assert_eq!(names(&mut reader(&archive)), [b"snapshot/a", b"snapshot/b"]);
}

#[test]
fn a_stream_that_ends_anywhere_else_is_cut_short() {
    let long_name = vec![b'n'; 300];
    let archive = [member(b"snapshot/a", b"1"), member(&long_name, &[2; 600])].concat();
    for end in 1..archive.len() {
        if end == 1024 {
            continue;
        }
        let mut tar = reader(&archive[..end]);
        let error = loop {
            match tar.next_member() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{end} bytes are taken for a whole archive"),
                Err(error) => break error,
            }
        };
        assert!(error.is_truncated(), "{end}: {error}");
        let Error::Truncated { offset } = error else {
            panic!()
        };
        assert_eq!(offset, end as u64);
    }
}

#[test]
fn a_payload_that_is_cut_short_is_an_unexpected_end() {
    let archive = member(b"snapshot/a", &[7; 1000]);
    let mut tar = reader(&archive[..1000]);
    tar.next_member().unwrap();
    let error = tar.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_damaged_header_is_named_by_its_offset() {
    let mut archive = [member(b"snapshot/a", b"1"), member(b"snapshot/b", b"2")].concat();
    archive[1024 + 5] ^= 1;
    let mut tar = reader(&archive);
    tar.next_member().unwrap();
    let fault = HeaderFault::Checksum;
    assert!(matches!(
        tar.next_member(),
        Err(Error::BadHeader { offset: 1024, fault: found }) if found == fault
    ));
    assert_eq!(tar.next_member().unwrap(), None);
}

#[test]
fn gnu_long_names_and_links_are_joined_to_their_member() {
    let (name, link) = (vec![b'n'; 1000], vec![b'l'; 513]);
    let archive = [
        block(|fields| fields.type_flag(b'K').size(link.len() + 1)),
        padded(&[&link[..], b"\0"].concat()),
        block(|fields| fields.type_flag(b'L').size(name.len() + 1)),
        padded(&[&name[..], b"\0"].concat()),
        block(|fields| fields.name(&name[..100]).type_flag(b'2')),
    ];
    let member = only_member(&archive.concat());
    assert_eq!((member.name, member.link, member.offset), (name, link, 0));
}

#[test]
fn gnu_numbers_may_be_binary_and_negative() {
    let archive = block(|fields| {
        fields
            .put(108, b"\x80\0\0\0\xb2\xd0\x5e\0")
            .put(116, b"\xff\xff\xff\xff\xff\xff\xff\xfe")
            .put(136, &[0xff; 12])
    });
    let member = only_member(&archive);
    assert_eq!(
        (member.uid, member.gid, member.mtime),
        (3_000_000_000, 4_294_967_294, 0)
    );
}

#[test]
fn the_ustar_prefix_stands_before_the_name() {
    let archive = block(|fields| {
        fields
            .put(257, b"ustar\x0000")
            .put(345, b"snapshot/deep")
            .name(b"file")
    });
    assert_eq!(only_member(&archive).name, b"snapshot/deep/file");
}

#[test]
fn a_type_of_nul_is_a_regular_file_and_a_slash_does_not_make_a_directory() {
    let member = only_member(&block(|fields| fields.name(b"snapshot/").type_flag(0)));
    assert_eq!(
        member.into_attributes().map(|found| found.file_type),
        Some(FileType::Regular)
    );
}

#[test]
fn types_that_backups_do_not_hold_have_no_attributes() {
    for flag in [b'1', b'7', b'S', b'V', b'?'] {
        let member = only_member(&block(|fields| fields.type_flag(flag)));
        assert_eq!(member.into_attributes(), None);
    }
}

#[test]
fn global_pax_records_hold_for_all_that_follows() {
    let archive = [
        block(|fields| fields.type_flag(b'g').size(18)),
        padded(b"18 uid=3000000000\n"),
        member(b"snapshot/a", b""),
        block(|fields| fields.type_flag(b'x').size(8)),
        padded(b"8 uid=5\n"),
        member(b"snapshot/b", b""),
        member(b"snapshot/c", b""),
    ]
    .concat();
    let mut tar = reader(&archive);
    let mut uids = Vec::new();
    while let Some(member) = tar.next_member().unwrap() {
        uids.push(member.uid);
    }
    assert_eq!(uids, [3_000_000_000, 5, 3_000_000_000]);
}

#[test]
fn a_fraction_of_a_second_is_cut_off() {
    let archive = [
        block(|fields| fields.type_flag(b'x').size(21)),
        padded(b"21 mtime=1600000000.9\n"),
    ];
    assert!(reader(&archive.concat()).next_member().is_err());
    let archive = [
        block(|fields| fields.type_flag(b'x').size(22)),
        padded(b"22 mtime=1600000000.9\n"),
        member(b"snapshot/a", b""),
    ];
    assert_eq!(only_member(&archive.concat()).mtime, 1_600_000_000);
}

#[test]
fn extended_headers_and_names_have_limits() {
    let archive = [
        block(|fields| fields.type_flag(b'L').size(5001)),
        padded(&[b'n'; 5000]),
        block(|fields| fields),
    ]
    .concat();
    let read = |name_len, extension_len| {
        let limits = Limits {
            name_len,
            extension_len,
        };
        TarReader::new(archive.as_slice(), limits).next_member()
    };
    assert!(read(5000, 5001).is_ok());
    assert!(matches!(
        read(5000, 5000),
        Err(Error::ExtensionTooLong { len: 5001, .. })
    ));
    assert!(matches!(
        read(4999, 5001),
        Err(Error::NameTooLong { len: 5000, .. })
    ));
    // A length that is only claimed costs nothing.
    let huge = block(|fields| fields.type_flag(b'x').put(124, b"77777777777\0"));
    assert!(matches!(
        reader(&huge).next_member(),
        Err(Error::ExtensionTooLong { .. })
    ));
}

fn reader(archive: &[u8]) -> TarReader<&[u8]> {
    TarReader::new(archive, Limits::default())
}

fn names(tar: &mut TarReader<&[u8]>) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| tar.next_member().unwrap())
        .map(|member| member.name)
        .collect()
}

#[track_caller]
fn only_member(archive: &[u8]) -> TarMember {
    let mut tar = reader(archive);
    let member = tar.next_member().unwrap().unwrap();
    assert_eq!(tar.next_member().unwrap(), None);
    member
}

fn member(name: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = encode_header(name, &file(), payload.len() as u64).unwrap();
    [header, padded(payload)].concat()
}

fn padded(payload: &[u8]) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    bytes.resize(payload.len().next_multiple_of(512), 0);
    bytes
}

/// A header block in the making, in the GNU flavour.
struct Fields([u8; 512]);

impl Fields {
    fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn name(self, name: &[u8]) -> Self {
        self.put(0, &[0; 100]).put(0, name)
    }

    fn type_flag(self, flag: u8) -> Self {
        self.put(156, &[flag])
    }

    fn size(self, size: usize) -> Self {
        self.put(124, format!("{size:011o}").as_bytes())
    }
}

fn block(fill: impl FnOnce(Fields) -> Fields) -> Vec<u8> {
    let fields = Fields([0; 512])
        .put(257, b"ustar  \0")
        .name(b"snapshot/x")
        .type_flag(b'0');
    let Fields(bytes) = fill(fields.size(0)).put(148, b"        ");
    let sum: u32 = bytes.iter().map(|&byte| u32::from(byte)).sum();
    let summed = Fields(bytes).put(148, format!("{sum:06o}\0 ").as_bytes());
    summed.0.to_vec()
}
