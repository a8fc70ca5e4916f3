//! Backup, restore, verify, list and status over an archive.
