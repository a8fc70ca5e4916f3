//! redup: backup and restore in duplicity's archive format.

fn main() {}
