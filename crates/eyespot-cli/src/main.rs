#![forbid(unsafe_code)]
//! The command `eyespot`.
fn main() {}
