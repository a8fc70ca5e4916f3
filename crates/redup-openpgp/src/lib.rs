//! OpenPGP messages, keys and passphrases for encrypted volumes.
