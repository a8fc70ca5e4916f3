//! Reading a manifest line by line, from chunks of any size.

use super::{
    ChangeKind, FileChange, Manifest, ManifestError, Position, VolumeInfo, index_from, quote,
    unquote,
};

/// Reads a manifest that arrives in pieces, holding one line of text at a time.
///
/// ```
/// use redup_format::manifest::Reader;
///
/// let mut reader = Reader::new().without_files();
/// reader.push(b"Hostname a\nVolume 1:\n    StartingPath   .  \n    Ending")?;
/// reader.push(b"Path     b  \n")?;
/// assert_eq!(reader.finish()?.volumes.len(), 1);
/// # Ok::<(), redup_format::manifest::ManifestError>(())
/// ```
#[derive(Debug, Default)]
pub struct Reader {
    manifest: Manifest,
    keep_no_files: bool,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    line: u64,
    block: Option<Block>,
    /// The number of the last whole block.
    last: Option<u32>,
    /// Numbers of blocks that ended before they were whole.
    incomplete: Vec<u32>,
}

/// A volume's lines, as far as they have come.
#[derive(Debug)]
struct Block {
    number: u32,
    start: Option<Position>,
    end: Option<Position>,
    sha1: Option<[u8; 20]>,
    md5: Option<[u8; 16]>,
    crc32: Option<u32>,
}

impl Reader {
    /// Starts with nothing read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Passes over the list of files, the only part of a manifest that grows with the tree.
    pub fn without_files(mut self) -> Self {
        self.keep_no_files = true;
        self
    }

    /// Takes the next bytes. After an error the reader is of no more use.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), ManifestError> {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.keep(&bytes[..end])?;
            let line = std::mem::take(&mut self.rest);
            self.read_line(&line)?;
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes)
    }

    /// Ends the manifest here.
    ///
    /// Whatever an interruption can have left is understood: a last line without its line end is taken when it is
    /// certainly whole, and a last volume that is certainly not is dropped.
    pub fn finish(mut self) -> Result<Manifest, ManifestError> {
        let cut_line = std::mem::take(&mut self.rest);
        if lacks_only_its_end(&cut_line) {
            self.read_line(&cut_line)?;
        }
        if self.is_block_cut(&cut_line) {
            self.block = None;
        }
        self.end_block()?;
        self.check_gaps()?;
        let last = self.last.unwrap_or(0);
        self.manifest.volumes.retain(|&number, _| number <= last);
        Ok(self.manifest)
    }

    /// Whether the text ends inside the current block.
    ///
    /// A block ends with its hash, but for sets so old that none of their blocks has one.
    fn is_block_cut(&self, cut_line: &[u8]) -> bool {
        let Some(block) = &self.block else {
            return false;
        };
        let hashed = block.sha1.is_some() || block.md5.is_some();
        let others_hashed = || {
            self.manifest
                .volumes
                .values()
                .any(|volume| volume.sha1.is_some())
        };
        let whole = block.start.is_some() && block.end.is_some();
        !whole || !hashed && (cut_line.starts_with(b" ") || others_hashed())
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), ManifestError> {
        if self.rest.len() + part.len() > Manifest::MAX_LINE {
            return Err(ManifestError::LongLine {
                line: self.line + 1,
            });
        }
        self.rest.extend_from_slice(part);
        Ok(())
    }

    fn read_line(&mut self, line: &[u8]) -> Result<(), ManifestError> {
        self.line += 1;
        if let Some(number) = volume_number(line) {
            self.end_block()?;
            return self.start_block(number);
        }
        self.read_header(line)?;
        let mut words = words(line);
        let Some(first) = words.next() else {
            return Ok(());
        };
        match first.to_ascii_lowercase().as_slice() {
            b"startingpath" => self.read_position(words, |block| &mut block.start),
            b"endingpath" => self.read_position(words, |block| &mut block.end),
            b"hash" => self.read_hash(words.next(), words.next()),
            b"filelist" => {
                self.manifest.files_changed.clear();
                self.manifest.has_file_list = true;
                Ok(())
            }
            _ => self.read_file(first, words.next()),
        }
    }

    fn read_header(&mut self, line: &[u8]) -> Result<(), ManifestError> {
        let line_number = self.line;
        for (keyword, field) in [
            (&b"hostname"[..], &mut self.manifest.hostname),
            (&b"localdir"[..], &mut self.manifest.local_dir),
        ] {
            if field.is_none()
                && let Some(value) = after_keyword(line, keyword)
            {
                let value = unquote(value).ok_or(ManifestError::Quoting { line: line_number })?;
                *field = Some(value.into_owned());
            }
        }
        Ok(())
    }

    fn start_block(&mut self, number: &[u8]) -> Result<(), ManifestError> {
        let number = std::str::from_utf8(number).unwrap_or_default();
        let number = number
            .parse()
            .ok()
            .filter(|&number| number > 0)
            .ok_or_else(|| {
                let number = number.chars().take(20).collect();
                ManifestError::VolumeNumber {
                    line: self.line,
                    number,
                }
            })?;
        self.block = Some(Block {
            number,
            start: None,
            end: None,
            sha1: None,
            md5: None,
            crc32: None,
        });
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), ManifestError> {
        let Some(block) = self.block.take() else {
            return Ok(());
        };
        let Block {
            number,
            start: Some(start),
            end: Some(end),
            sha1,
            md5,
            crc32,
        } = block
        else {
            self.incomplete.push(block.number);
            return self.check_count(self.incomplete.len());
        };
        self.last = Some(number);
        self.manifest.volumes.insert(
            number,
            VolumeInfo {
                number,
                start,
                end,
                sha1,
                md5,
                crc32,
            },
        );
        self.check_count(self.manifest.volumes.len())
    }

    fn check_count(&self, count: usize) -> Result<(), ManifestError> {
        if count > Manifest::MAX_VOLUMES {
            Err(ManifestError::TooManyVolumes)
        } else {
            Ok(())
        }
    }

    /// A block that was cut and then written again does no harm; one that nothing replaced does.
    fn check_gaps(&self) -> Result<(), ManifestError> {
        let last = self.last.unwrap_or(0);
        let gap = self
            .incomplete
            .iter()
            .find(|number| **number <= last && !self.manifest.volumes.contains_key(number));
        if let Some(&number) = gap {
            return Err(ManifestError::IncompleteVolume { number });
        }
        let numbers = self.manifest.volumes.keys().copied();
        match (1..).zip(numbers).find(|(due, found)| due != found) {
            Some((number, _)) => Err(ManifestError::IncompleteVolume { number }),
            None => Ok(()),
        }
    }

    fn read_position<'a>(
        &mut self,
        mut words: impl Iterator<Item = &'a [u8]>,
        field: impl Fn(&mut Block) -> &mut Option<Position>,
    ) -> Result<(), ManifestError> {
        let (Some(block), Some(spelling)) = (&mut self.block, words.next()) else {
            return Ok(());
        };
        let piece = match words.next() {
            Some(digits) => {
                Some(number_in(digits).ok_or(ManifestError::Block { line: self.line })?)
            }
            None => None,
        };
        let position = Position {
            index: index_from(spelling, self.line)?,
            block: piece,
        };
        match field(block).replace(position) {
            // The line between that begins the next volume is lost.
            Some(_) => Err(ManifestError::Repeated { line: self.line }),
            None => Ok(()),
        }
    }

    fn read_hash(
        &mut self,
        algorithm: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), ManifestError> {
        let (Some(block), Some(algorithm)) = (&mut self.block, algorithm) else {
            return Ok(());
        };
        let (value, line) = (value.unwrap_or_default(), self.line);
        let bad = ManifestError::Hash { line };
        match algorithm.to_ascii_uppercase().as_slice() {
            b"SHA1" => block.sha1 = Some(quote::from_hex(value).ok_or(bad)?),
            b"CRC32" => block.crc32 = quote::from_hex(value).map(u32::from_be_bytes),
            b"MD5" => block.md5 = Some(quote::from_hex(value).ok_or(bad)?),
            _ => {}
        }
        Ok(())
    }

    /// The list is for people: a line of it that makes no sense is passed over.
    fn read_file(&mut self, kind: &[u8], spelling: Option<&[u8]>) -> Result<(), ManifestError> {
        if self.keep_no_files || self.manifest.files_changed.len() == Manifest::MAX_FILES {
            return Ok(());
        }
        let (Some(kind), Some(spelling)) = (ChangeKind::from_word(kind), spelling) else {
            return Ok(());
        };
        if let Ok(index) = index_from(spelling, self.line) {
            self.manifest.files_changed.push(FileChange { kind, index });
        }
        Ok(())
    }
}

/// The digits of `Volume N:` at the beginning of a line.
fn volume_number(line: &[u8]) -> Option<&[u8]> {
    let rest = after_keyword(line, b"volume")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0 && rest.get(digits) == Some(&b':')).then(|| &rest[..digits])
}

/// What follows a keyword, in any case, and one white space character at the beginning of a line.
fn after_keyword<'a>(line: &'a [u8], keyword: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(keyword.len())?;
    let [space, value @ ..] = rest else {
        return None;
    };
    (start.eq_ignore_ascii_case(keyword) && quote::is_space(*space)).then_some(value)
}

fn number_in(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether a line without its line end is otherwise whole: a hash, whose length is known, or a line of the list of
/// files, which decides nothing.
fn lacks_only_its_end(line: &[u8]) -> bool {
    let words: Vec<&[u8]> = words(line).take(3).collect();
    match words[..] {
        [hash, sha1, value] if hash.eq_ignore_ascii_case(b"hash") => {
            sha1.eq_ignore_ascii_case(b"sha1") && quote::from_hex::<20>(value).is_some()
        }
        [kind, _] => ChangeKind::from_word(kind).is_some(),
        _ => false,
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| quote::is_space(byte))
        .filter(|word| !word.is_empty())
}
