//! Difftar and sigtar archives: members, pieces, collate, diffdir, patchdir.
