//! Workers that wait for work: awake for a short while, then asleep.
//!
//! A network's steps follow each other within microseconds, and waking a sleeping thread takes longer than a small step
//! does. A worker therefore looks out for the next loop for a moment before it goes to sleep. Who starts a loop works
//! on it, too, and at its end waits only for workers that have begun: one the system has not let run is not needed.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a worker stays awake without work.
const AWAKE: Duration = Duration::from_micros(200);
/// Looks at the state before the first `yield`: a few microseconds.
const LOOKS: u32 = 500;

/// The state's parts: how many workers are on the current loop, whether more may join, whether to end, and above
/// them the number of the loop.
const ACTIVE: u64 = (1 << 16) - 1;
const OPEN: u64 = 1 << 16;
const END: u64 = 1 << 17;
const LOOP: u64 = 1 << 18;

/// One thread's next task, on a cache line of its own.
#[repr(align(64))]
struct Next(AtomicUsize);

/// Worker threads.
pub(super) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("workers", &self.workers.len()).finish()
    }
}

struct Shared {
    state: AtomicU64,
    /// What the current loop runs on each thread. Written only by the holder of `taken` while the state is closed and
    /// nobody is active; read only by workers that are active.
    job: UnsafeCell<Job>,
    /// Whether somebody's loop has the workers.
    taken: AtomicBool,
    /// The next task of each thread's share of the current loop.
    next: Vec<Next>,
    /// The first panic of the current loop's workers.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Workers asleep, or about to be.
    sleeping: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
    /// How long workers stay awake.
    awake: Duration,
}

// SAFETY: `job` is the only part that isn't `Sync`; its rules stand above. What it points to is `Sync` by `Pool::run`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointers of `job` are used only while the loop they belong to is running.
unsafe impl Send for Shared {}

/// A closure without its type.
#[derive(Clone, Copy)]
struct Job {
    data: *const (),
    /// Calls the closure at `data` with a thread's number.
    call: unsafe fn(*const (), usize),
}

/// # Safety
/// `data` points to a living `F`.
unsafe fn call<F: Fn(usize)>(data: *const (), thread: usize) {
    // SAFETY: the caller's promise.
    unsafe { (*data.cast::<F>())(thread) }
}

/// A lock whose holder cannot have left anything half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// Starts `count` workers, or as many as the system allows. Without cores of their own (not `spare`) workers would
    /// take the time of those that have work, so they go to sleep at once.
    pub(super) fn new(count: usize, spare: bool) -> Self {
        let nothing = || ();
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: UnsafeCell::new(Job { data: (&raw const nothing).cast(), call: |_, _| () }),
            taken: AtomicBool::new(false),
            next: (0..=count).map(|_| Next(AtomicUsize::new(0))).collect(),
            panic: Mutex::new(None),
            sleeping: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            awake: if spare { AWAKE } else { Duration::ZERO },
        });
        let start = |thread| {
            let shared = Arc::clone(&shared);
            let name = format!("eyespot {thread}");
            std::thread::Builder::new().name(name).spawn(move || shared.work(thread)).ok()
        };
        let workers = (1..=count).map_while(start).collect();
        Self { shared, workers }
    }

    /// How many workers there are.
    pub(super) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Calls `f(thread, task)` for each of the tasks; the calling thread is number 0, workers count from 1.
    ///
    /// Each thread has a share of neighbouring tasks and begins with it, so that it finds in its cache what it wrote in
    /// the loop before; who is done helps the others.
    pub(super) fn run(&self, tasks: usize, f: &(impl Fn(usize, usize) + Sync)) {
        let shared = &*self.shared;
        if shared.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return (0..tasks).for_each(|task| f(0, task));
        }
        let threads = 1 + self.workers.len();
        let start = |share: usize| (share * tasks).div_ceil(threads);
        for share in 0..threads {
            shared.next[share].0.store(start(share), Ordering::Relaxed);
        }
        self.on_all(&|thread: usize| {
            for offset in 0..threads {
                let share = (thread + offset) % threads;
                let (next, end) = (&shared.next[share].0, start(share + 1));
                while next.load(Ordering::Relaxed) < end {
                    let task = next.fetch_add(1, Ordering::Relaxed);
                    if task < end {
                        f(thread, task);
                    }
                }
            }
        });
    }

    /// Calls `f(0)` on this thread, which holds `taken`, and `f(thread)` on the workers that come in time.
    fn on_all<F: Fn(usize) + Sync>(&self, f: &F) {
        let shared = &*self.shared;
        let job = Job { data: (&raw const *f).cast(), call: call::<F> };
        // SAFETY: this thread holds `taken`; the state is closed and nobody active since the last loop's end.
        unsafe { *shared.job.get() = job };
        let number = shared.state.load(Ordering::Relaxed) / LOOP;
        shared.state.store(number.wrapping_add(1).wrapping_mul(LOOP) | OPEN, Ordering::SeqCst);
        // Either this thread sees who is about to sleep, or that one sees the new state.
        if shared.sleeping.load(Ordering::SeqCst) > 0 {
            drop(lock(&shared.sleep));
            shared.wake.notify_all();
        }
        let own = catch_unwind(AssertUnwindSafe(|| f(0)));
        // From here on nobody joins; whoever has is waited for, because `f` ends with this call.
        let mut state = shared.state.fetch_and(!OPEN, Ordering::Acquire);
        let mut looks = 0;
        while state & ACTIVE > 0 {
            pause(&mut looks);
            state = shared.state.load(Ordering::Acquire);
        }
        let other = lock(&shared.panic).take();
        shared.taken.store(false, Ordering::Release);
        if let Some(panic) = own.err().or(other) {
            resume_unwind(panic);
        }
    }
}

/// Waits a moment; after many, lets other threads run.
fn pause(looks: &mut u32) {
    if *looks < LOOKS && !cfg!(miri) {
        *looks += 1;
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state.store(END, Ordering::SeqCst);
        drop(lock(&self.shared.sleep));
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // Panics of tasks were caught.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// A worker's life.
    fn work(&self, thread: usize) {
        let mut done = 0;
        loop {
            let state = self.wait(done);
            if state & END != 0 {
                return;
            }
            if self.state.compare_exchange(state, state + 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
                continue;
            }
            // SAFETY: this worker is active, so nobody writes the job and its closure lives.
            let ran = catch_unwind(AssertUnwindSafe(|| unsafe {
                let Job { data, call } = *self.job.get();
                call(data, thread);
            }));
            if let Err(panic) = ran {
                lock(&self.panic).get_or_insert(panic);
            }
            done = state / LOOP;
            self.state.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for a loop other than `done` that may be joined, or the end.
    fn wait(&self, done: u64) -> u64 {
        let ready = |state: u64| state & END != 0 || (state & OPEN != 0 && state / LOOP != done);
        loop {
            let (mut looks, mut since) = (0, None);
            loop {
                let state = self.state.load(Ordering::Acquire);
                if ready(state) {
                    return state;
                }
                pause(&mut looks);
                // The clock is looked at only from the first `yield` on.
                if (looks == LOOKS || cfg!(miri))
                    && since.get_or_insert_with(Instant::now).elapsed() >= self.awake
                {
                    break;
                }
            }
            self.sleep(ready);
        }
    }

    /// Sleeps until somebody wakes the workers, unless there is work already.
    fn sleep(&self, ready: impl Fn(u64) -> bool) {
        let guard = lock(&self.sleep);
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        if !ready(self.state.load(Ordering::SeqCst)) {
            // Waking without a reason does no harm.
            drop(self.wake.wait(guard));
        }
        self.sleeping.fetch_sub(1, Ordering::SeqCst);
    }
}
