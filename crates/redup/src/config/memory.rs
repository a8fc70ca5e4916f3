//! How much memory the process may have, and what of it is for transfers.

use redup_engine::transfer::least_memory;

use crate::args::{Args, Opt};

/// What the whole process keeps to unless told otherwise, or half of the machine where that is less.
const LIMIT: u64 = 512 << 20;

/// What it takes beside its transfers, buffers at rest included, as measured: five eighths where the limit is low.
const BESIDE: u64 = 104 << 20;

/// More makes no upload faster: this is enough for eight parts of 8 MiB on their way and as many being
/// filled. Longer ones may need more. A restore gains by more, as it keeps volumes that it would have to fetch again.
const UPLOADS: u64 = 128 << 20;

/// Bytes that the transfers of a command may hold, where uploads have parts of this size.
pub(crate) fn transfer_memory(args: &Args, part_size: u64) -> u64 {
    let given = args.options.number(Opt::MemoryLimit);
    let limit = given
        .and_then(|limit| u64::try_from(limit).ok())
        .unwrap_or_else(|| LIMIT.min(memory_of_machine() / 2));
    let share = limit - BESIDE.min(limit / 8 * 5);
    match args.command.is_backup() {
        true => share.min(UPLOADS.max(least_memory(part_size))),
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
            Ok(Parsed::Run(args)) => transfer_memory(&args, 8 << 20) >> 20,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_left_of_the_limit_is_for_transfers() {
        assert_eq!(share("restore s3://b /d --memory-limit 512"), 408);
        assert_eq!(share("restore s3://b /d --memory-limit 128"), 48);
        assert_eq!(share("full /s s3://b --memory-limit 512"), 128);
        assert_eq!(share("full /s s3://b --memory-limit 128"), 48);
        assert!((1..=408).contains(&share("restore s3://b /d")));
    }

    #[test]
    fn long_parts_get_more_of_the_limit() {
        let line = "full /s s3://b --memory-limit 512";
        let Ok(Parsed::Run(args)) = parse(line.split(' ').map(Into::into), &|_| false) else {
            panic!("{line:?}");
        };
        let share = |part_size: u64| transfer_memory(&args, part_size << 20) >> 20;
        assert_eq!([8, 50, 200].map(share), [128, 150, 408]);
    }
}
