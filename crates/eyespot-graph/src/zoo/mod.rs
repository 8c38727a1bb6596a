//! The zoo: one file per family of networks.
