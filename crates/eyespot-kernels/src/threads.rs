//! Parallel loops over a fixed list of tasks.

mod pool;

use pool::Pool;

/// A set of worker threads that runs loops of independent tasks.
///
/// What a task computes must not depend on which thread runs it or when: then results are the same for any number of
/// threads. Loops may be started from several threads at once and from inside tasks; only one has the workers, the
/// others run on the thread that starts them.
#[derive(Debug)]
pub struct Threads {
    /// The workers, beside the calling thread.
    pool: Option<Pool>,
}

impl Threads {
    /// No more threads than this are started.
    pub const MOST: usize = 1024;

    /// `count` threads, the calling one included; 0 takes one per core that this process may use. Where the system
    /// refuses to start that many, those it did start do the work.
    pub fn new(count: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let count = if count == 0 { cores } else { count }.min(Self::MOST);
        Self { pool: (count > 1).then(|| Pool::new(count - 1, count <= cores)) }
    }

    /// How many threads work at once.
    pub fn count(&self) -> usize {
        1 + self.pool.as_ref().map_or(0, Pool::workers)
    }

    /// Calls `f(0)`, `f(1)`, … `f(tasks − 1)`, each once, in any order and on any thread; returns when all are done.
    pub fn run(&self, tasks: usize, f: impl Fn(usize) + Sync) {
        self.run_on(tasks, |_, task| f(task));
    }

    /// Like [`run`](Self::run), and tells the task which thread it is on: `f(thread, task)`, with threads numbered
    /// from 0. For memory that each thread has to itself.
    ///
    /// # Panics
    /// When there are more tasks than could ever be done; and with a task's panic, after the others have ended.
    pub fn run_on(&self, tasks: usize, f: impl Fn(usize, usize) + Sync) {
        // Shares are multiples of this number, and threads count a little beyond the last task.
        assert!(tasks <= usize::MAX / (2 * Self::MOST), "{tasks} tasks");
        match &self.pool {
            Some(pool) if tasks > 1 => pool.run(tasks, &f),
            _ => (0..tasks).for_each(|task| f(0, task)),
        }
    }

    /// Cuts `out` into chunks of `chunk` floats (the last may be shorter) and calls `f(index, chunk)` for each.
    ///
    /// # Panics
    /// When a chunk holds nothing.
    pub fn chunks<T: Send>(&self, out: &mut [T], chunk: usize, f: impl Fn(usize, &mut [T]) + Sync) {
        let parts = Parts::new(out, chunk);
        self.run(parts.count(), |i| f(i, parts.part(i)));
    }

    /// Cuts `a` and `b` into as many chunks as each other and calls `f(index, chunk of a, chunk of b)` for each.
    ///
    /// # Panics
    /// When the two don't give the same number of chunks.
    pub fn chunks2<A: Send, B: Send>(
        &self,
        (a, a_chunk): (&mut [A], usize),
        (b, b_chunk): (&mut [B], usize),
        f: impl Fn(usize, &mut [A], &mut [B]) + Sync,
    ) {
        let (a, b) = (Parts::new(a, a_chunk), Parts::new(b, b_chunk));
        assert_eq!(a.count(), b.count(), "both outputs must have the same number of chunks");
        self.run(a.count(), |i| f(i, a.part(i), b.part(i)));
    }

    /// Cuts `out` at `bounds` and calls `f(i, out[bounds[i]..bounds[i + 1]])` for each part.
    ///
    /// # Panics
    /// When the bounds don't ascend or leave the slice.
    pub fn split<T: Send>(&self, out: &mut [T], bounds: &[usize], f: impl Fn(usize, &mut [T]) + Sync) {
        assert!(
            bounds.is_sorted() && bounds.last().is_none_or(|&end| end <= out.len()),
            "bounds inside the slice"
        );
        let parts = Parts::new(out, 1);
        // SAFETY: the bounds were found to ascend inside the slice, so the parts lie in it and are disjoint.
        self.run(bounds.len().saturating_sub(1), |i| f(i, unsafe { parts.range(bounds[i], bounds[i + 1]) }));
    }

    /// Cuts all of `outs` into chunks of `chunk` elements and calls `f(index, the chunks of that index)`. A slice
    /// that ends earlier than the others, such as an empty one, gives empty chunks from there on.
    pub fn chunks_of<T: Send, const N: usize>(
        &self,
        outs: [&mut [T]; N],
        chunk: usize,
        f: impl Fn(usize, [&mut [T]; N]) + Sync,
    ) {
        let parts = outs.map(|out| Parts::new(out, chunk));
        let tasks = parts.iter().map(Parts::count).max().unwrap_or(0);
        self.run(tasks, |i| f(i, std::array::from_fn(|n| parts[n].part(i))));
    }
}

/// A pointer that tasks on several threads may use.
pub(crate) struct Shared<T>(pub(crate) *mut T);

// SAFETY: whoever makes one promises that the tasks write disjoint parts of what it points to.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn get(&self) -> *mut T {
        self.0
    }
}

/// A mutable slice cut into chunks that are handed to different threads.
struct Parts<T> {
    start: *mut T,
    len: usize,
    chunk: usize,
}

// SAFETY: `part` is only called by the loops above, which hand each index to one thread once, so no two threads
// reach the same elements.
unsafe impl<T: Send> Sync for Parts<T> {}

impl<T> Parts<T> {
    fn new(slice: &mut [T], chunk: usize) -> Self {
        assert!(chunk > 0, "chunks must hold at least one element");
        Self { start: slice.as_mut_ptr(), len: slice.len(), chunk }
    }

    fn count(&self) -> usize {
        self.len.div_ceil(self.chunk)
    }

    #[allow(clippy::mut_from_ref)] // disjoint by index, see `Sync` above
    fn part(&self, index: usize) -> &mut [T] {
        let from = (index * self.chunk).min(self.len);
        let len = self.chunk.min(self.len - from);
        // SAFETY: inside the slice by the line above; each index is handed out once while the slice is borrowed.
        unsafe { self.range(from, from + len) }
    }

    /// # Safety
    /// The range lies in the slice and meets no other range in use.
    #[allow(clippy::mut_from_ref)]
    unsafe fn range(&self, from: usize, to: usize) -> &mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), to - from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_task_runs_once() {
        for count in [1, 2, 3] {
            let threads = Threads::new(count);
            for tasks in [0, 1, 2, 7, 1000] {
                let seen: Vec<_> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                threads.run(tasks, |i| {
                    seen[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(seen.iter().all(|n| n.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn chunks_cover_the_slices_without_overlap() {
        let threads = Threads::new(3);
        let (mut a, mut b) = (vec![0; 103], vec![0; 21]);
        threads.chunks2((&mut a, 10), (&mut b, 2), |i, a, b| {
            a.iter_mut().for_each(|v| *v += i + 1);
            b.iter_mut().for_each(|v| *v += i + 1);
        });
        assert!(a.iter().enumerate().all(|(i, &v)| v == i / 10 + 1));
        assert!(b.iter().enumerate().all(|(i, &v)| v == i / 2 + 1));
    }

    #[test]
    fn split_hands_out_the_parts_between_bounds() {
        let mut a = vec![0; 10];
        Threads::new(2).split(&mut a, &[0, 3, 3, 9], |i, part| part.fill(i + 1));
        assert_eq!(a, [1, 1, 1, 3, 3, 3, 3, 3, 3, 0]);
    }

    #[test]
    fn shorter_slices_give_empty_chunks() {
        let (mut a, mut b, mut c) = (vec![0; 25], vec![0; 12], vec![]);
        Threads::new(2).chunks_of([&mut a, &mut b, &mut c], 10, |i, outs| {
            assert!(outs[2].is_empty());
            outs.into_iter().flatten().for_each(|v| *v += i + 1);
        });
        assert!(a.iter().enumerate().all(|(i, &v)| v == i / 10 + 1));
        assert!(b.iter().enumerate().all(|(i, &v)| v == i / 10 + 1));
    }

    #[test]
    fn a_panic_in_a_task_reaches_the_caller() {
        let threads = Threads::new(2);
        for bad in [0, 3] {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                threads.run(4, |i| assert!(i != bad, "task {bad}"));
            }));
            let text = *caught.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(text, format!("task {bad}"));
        }
        let sum = AtomicUsize::new(0);
        threads.run(4, |i| _ = sum.fetch_add(i, Ordering::Relaxed));
        assert_eq!(sum.into_inner(), 6);
    }

    #[test]
    fn loops_may_start_inside_tasks_and_on_several_threads_at_once() {
        let threads = Threads::new(3);
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        threads.run(5, |_| threads.run(3, |_| _ = sum.fetch_add(1, Ordering::Relaxed)));
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 3 * 20 * 5 * 3);
    }

    #[test]
    fn two_tasks_never_have_the_same_thread_at_once() {
        let threads = Threads::new(4);
        let on: Vec<_> = (0..threads.count()).map(|_| AtomicUsize::new(0)).collect();
        for _ in 0..50 {
            threads.run_on(20, |thread, _| {
                assert_eq!(on[thread].fetch_add(1, Ordering::SeqCst), 0);
                std::thread::yield_now();
                on[thread].fetch_sub(1, Ordering::SeqCst);
            });
        }
    }

    #[test]
    fn workers_wake_after_a_rest() {
        let threads = Threads::new(3);
        for _ in 0..5 {
            std::thread::sleep(std::time::Duration::from_millis(2));
            // Each task waits for the other: only two threads can bring this to an end.
            let arrived = AtomicUsize::new(0);
            threads.run(2, |_| {
                arrived.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < 2 {
                    std::thread::yield_now();
                }
            });
        }
    }

    #[test]
    fn the_calling_thread_counts_and_absurd_numbers_are_cut() {
        assert_eq!(Threads::new(1).count(), 1);
        assert_eq!(Threads::new(3).count(), 3);
        assert!(Threads::new(0).count() >= 1);
    }
}
