//! Chores of the redup workspace.

fn main() {}
