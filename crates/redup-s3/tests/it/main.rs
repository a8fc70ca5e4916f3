//! The S3 store against a real server.
