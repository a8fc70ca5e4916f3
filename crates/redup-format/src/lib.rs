//! Names, times, manifests, backup sets and chains of duplicity's archive format.
