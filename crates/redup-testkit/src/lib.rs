//! Trees, the duplicity oracle, servers and damage for redup's tests.
