//! How much memory the process may have, and what of it is for transfers.

use crate::args::{Args, Opt};

/// What the whole process keeps to unless told otherwise, or half of the machine where that is less.
const LIMIT: u64 = 512 << 20;

/// What it takes beside its transfers, buffers at rest included, as measured: half where the limit is low.
const BESIDE: u64 = 104 << 20;

/// More makes no upload faster: this is enough for eight parts of 8 MiB on their way and as many being
/// filled. A restore gains by more, as it keeps volumes that it would have to fetch again.
const UPLOADS: u64 = 128 << 20;

/// Bytes that the transfers of a command may hold.
pub(crate) fn transfer_memory(args: &Args) -> u64 {
    let given = args.options.number(Opt::MemoryLimit);
    let limit = given
        .and_then(|limit| u64::try_from(limit).ok())
        .unwrap_or_else(|| LIMIT.min(memory_of_machine() / 2));
    let share = limit - BESIDE.min(limit / 2);
    match args.command.is_backup() {
        true => share.min(UPLOADS),
        false => share,
    }
}

fn memory_of_machine() -> u64 {
    let machine = rustix::system::sysinfo();
    (machine.totalram as u64).saturating_mul(u64::from(machine.mem_unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Parsed, parse};

    fn share(line: &str) -> u64 {
        match parse(line.split(' ').map(Into::into), &|_| false) {
            Ok(Parsed::Run(args)) => transfer_memory(&args) >> 20,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_left_of_the_limit_is_for_transfers() {
        assert_eq!(share("restore s3://b /d --memory-limit 512"), 408);
        assert_eq!(share("restore s3://b /d --memory-limit 128"), 64);
        assert_eq!(share("full /s s3://b --memory-limit 512"), 128);
        assert_eq!(share("full /s s3://b --memory-limit 128"), 64);
        assert!((1..=408).contains(&share("restore s3://b /d")));
    }
}
