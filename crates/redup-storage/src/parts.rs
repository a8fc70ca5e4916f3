//! The bookkeeping of an upload's parts, the same for every store.

use std::collections::BTreeMap;

/// Which parts of an upload have arrived, and whether they add up.
#[derive(Debug, Clone, Default)]
pub struct PartLedger {
    lens: BTreeMap<u32, u64>,
}

impl PartLedger {
    /// An upload without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that part `number` has arrived with `len` bytes, in place of an earlier one.
    pub fn record(&mut self, number: u32, len: u64) {
        self.lens.insert(number, len);
    }

    /// Whether exactly the parts `0..parts` have arrived, all but the last of `part_size`, with
    /// `len` bytes together; if not, what is wrong.
    pub fn check(&self, part_size: u64, parts: u32, len: u64) -> Result<(), String> {
        if parts == 0 {
            return Err("an upload needs at least one part".into());
        }
        if let Some(missing) = (0..parts).find(|number| !self.lens.contains_key(number)) {
            return Err(format!("part {missing} of {parts} has not been uploaded"));
        }
        for (&number, &part) in &self.lens {
            if number >= parts {
                return Err(format!(
                    "part {number} was uploaded, but there are only {parts}"
                ));
            }
            if number + 1 < parts && part != part_size {
                return Err(format!("part {number} has {part} bytes, not {part_size}"));
            }
        }
        let uploaded: u64 = self.lens.values().sum();
        if uploaded != len {
            return Err(format!("{uploaded} bytes were uploaded, not {len}"));
        }
        Ok(())
    }
}

/// What is wrong with a single part, if anything.
pub(crate) fn check_part(part_size: u64, number: u32, len: u64) -> Result<(), String> {
    if len > part_size {
        return Err(format!(
            "part {number} has {len} bytes, more than {part_size}"
        ));
    }
    if len == 0 && number > 0 {
        return Err(format!("part {number} is empty"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(parts: &[(u32, u64)]) -> PartLedger {
        let mut ledger = PartLedger::new();
        for &(number, len) in parts {
            ledger.record(number, len);
        }
        ledger
    }

    #[test]
    fn complete_uploads_pass() {
        ledger(&[(0, 10), (1, 10), (2, 3)])
            .check(10, 3, 23)
            .unwrap();
        ledger(&[(1, 10), (0, 10)]).check(10, 2, 20).unwrap();
        ledger(&[(0, 0)]).check(10, 1, 0).unwrap();
        ledger(&[(0, 7), (0, 4)]).check(10, 1, 4).unwrap();
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        let fault =
            |parts: &[(u32, u64)], count, len| ledger(parts).check(10, count, len).unwrap_err();
        assert_eq!(fault(&[], 0, 0), "an upload needs at least one part");
        assert_eq!(
            fault(&[(0, 10), (2, 1)], 3, 11),
            "part 1 of 3 has not been uploaded"
        );
        assert_eq!(
            fault(&[(0, 9), (1, 1)], 2, 10),
            "part 0 has 9 bytes, not 10"
        );
        assert_eq!(
            fault(&[(0, 10), (1, 1)], 1, 10),
            "part 1 was uploaded, but there are only 1"
        );
        assert_eq!(
            fault(&[(0, 10), (1, 1)], 2, 12),
            "11 bytes were uploaded, not 12"
        );
    }
}
