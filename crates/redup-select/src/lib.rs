//! The ordered walk of a source tree and its include and exclude rules.
