//! The real binary on small pictures, and on real photos where `EYESPOT_TEST_DATA` has them.

mod compare;
mod config;
mod deep;
mod devices;
mod divide;
mod embed;
mod evaluate;
mod features;
mod fine_tune;
mod hostile;
mod inspect;
mod names;
mod not_finite;
mod owned;
mod predict;
mod real_data;
mod robustness;
mod settings;
mod solved;
mod support;
mod train;
mod tune;
mod weights;
mod wrong;
