//! The rsync engine: signature, delta and patch in librsync's formats.
