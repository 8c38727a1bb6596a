//! Plain loops over slices, compiled once for each instruction set by letting the compiler vectorise them.

use crate::simd::{Isa, Op, Simd};

/// A loop over slices with everything it needs.
///
/// `run` must be `#[inline(always)]`: only then is it compiled again with the wider vectors of each instruction set.
/// It must not fuse multiplications with additions (`mul_add`), so that every set gives the same bits.
pub trait Kernel {
    /// Does the work.
    fn run(self);
}

/// Runs `kernel` with the widest vectors this machine has.
#[inline]
pub fn run(kernel: impl Kernel) {
    // SAFETY: the kernel is safe code and asks nothing.
    unsafe { isa().run(Plain(kernel)) }
}

#[cfg(not(test))]
fn isa() -> Isa {
    Isa::best()
}

struct Plain<K>(K);

impl<K: Kernel> Op for Plain<K> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        self.0.run();
    }
}

#[cfg(test)]
pub(crate) use tests::{isa, same_on_every_instruction_set};

#[cfg(test)]
mod tests {
    use super::Isa;
    use std::cell::Cell;

    thread_local! {
        static ASKED: Cell<Option<Isa>> = const { Cell::new(None) };
    }

    pub(crate) fn isa() -> Isa {
        ASKED.get().unwrap_or_else(Isa::best)
    }

    /// Checks that `f` gives the same bits with each instruction set this machine has. Loops on other threads are
    /// not affected, so `f` must compute with `Threads::new(1)`.
    pub(crate) fn same_on_every_instruction_set(f: impl Fn() -> Vec<f32>) {
        let bits = |isa| {
            ASKED.set(Some(isa));
            let result: Vec<u32> = f().iter().map(|x| x.to_bits()).collect();
            ASKED.set(None);
            result
        };
        let portable = bits(Isa::Portable);
        for isa in Isa::available() {
            assert!(bits(isa) == portable, "{isa:?} differs from the portable code");
        }
    }
}
