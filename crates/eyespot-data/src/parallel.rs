//! Work on many things at once.

use std::sync::atomic::{AtomicUsize, Ordering};

/// `work` of 0 to `count` − 1, in order, on `threads` threads (0 for one per core).
pub(crate) fn parallel<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        threads => threads,
    };
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return done;
            }
            done.push((index, work(index)));
        }
    };
    let mut results = std::thread::scope(|scope| {
        // This thread works, too; where the system refuses to start others, it does it all.
        let others: Vec<_> = (1..threads.min(count))
            .map_while(|_| std::thread::Builder::new().spawn_scoped(scope, run).ok())
            .collect();
        let mut results = run();
        for other in others {
            match other.join() {
                Ok(theirs) => results.extend(theirs),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_on_any_number_of_threads() {
        for threads in [0, 1, 3, 20] {
            for count in [0, 1, 7] {
                let squares: Vec<usize> = (0..count).map(|i| i * i).collect();
                assert_eq!(parallel(count, threads, |i| i * i), squares);
            }
        }
    }
}
