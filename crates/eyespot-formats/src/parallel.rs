//! Many small jobs on a few threads.

use std::sync::{Mutex, PoisonError};

/// Threads that are worth it: the disk and the memory have only so many lanes.
const MAX_THREADS: usize = 8;

/// Does every job, on several threads where there are several. Each thread has a buffer that its jobs share.
pub(crate) fn for_each<T: Send>(jobs: &mut [T], work: impl Fn(&mut T, &mut Vec<u8>) + Sync) {
    let threads =
        std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(jobs.len());
    let queue = Mutex::new(jobs.iter_mut());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        let mut buffer = Vec::new();
        while let Some(job) = next() {
            work(job, &mut buffer);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Where no thread can be had, the others do its work.
            let _ = std::thread::Builder::new().name("weights".to_owned()).spawn_scoped(scope, run);
        }
        run();
    });
}
