//! The storage trait, its URLs, local and in-memory stores, and wrappers.
