//! The table of all public functions: sizes and slices that go together, and how each is called with them.

mod convolution;
mod maps;
mod memory;
mod numbers;
mod rows;

use crate::fence::Fenced;
use crate::size::Size;
use eyespot_kernels::Threads;
use std::sync::LazyLock;

/// A function and how to call it.
pub struct Function {
    /// File and name.
    pub name: &'static str,
    /// Which of its paths, where it has several.
    pub variant: &'static str,
    /// Sizes that go together.
    pub sizes: &'static [usize],
    /// Those of them that it asks memory in proportion of.
    pub memory: &'static [usize],
    /// How many floats each slice must have for the sizes.
    pub needs: fn(&[Size]) -> Vec<Size>,
    /// Calls it.
    pub call: fn(&[usize], &mut [Fenced]),
}

pub fn functions() -> Vec<Function> {
    let mut all = convolution::functions();
    all.extend(maps::functions());
    all.extend(memory::functions());
    all.extend(numbers::functions());
    all.extend(rows::functions());
    all
}

/// Functions that take neither slices nor sizes.
pub const WITHOUT_SLICES: [&str; 11] = [
    "activation.rs::apply",
    "conv2d/inference.rs::algorithm",
    "conv2d/inference.rs::memory_bytes",
    "conv2d/inference.rs::shape",
    "conv2d/separable.rs::memory_bytes",
    "linear/mod.rs::memory_bytes",
    "peak.rs::peak_flops",
    "pointwise.rs::reads_input",
    "threads.rs::count",
    "threads.rs::new",
    "vectorised.rs::run",
];

fn constant(lens: &[u128]) -> Vec<Size> {
    lens.iter().map(|&len| Size(len)).collect()
}

/// Two threads for all calls.
fn threads() -> &'static Threads {
    static THREADS: LazyLock<Threads> = LazyLock::new(|| Threads::new(2));
    &THREADS
}
