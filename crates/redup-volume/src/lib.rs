//! The encrypted volume writer and reader.
