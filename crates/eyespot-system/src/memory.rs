//! How much memory the process may take.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use thiserror::Error;

/// The least that the default allows, where the machine has twice as much: 1 GiB.
const LEAST: u64 = 1 << 30;

/// What a machine is taken to have where the system doesn't say in a file: 8 GiB.
const UNKNOWN: u64 = 8 << 30;

/// The memory that everything whose size a file decides draws from: images that are decoded, and programs that are
/// compiled. Whoever is about to allocate reserves first, so that a hostile file ends in an error and not in an abort.
///
/// Two kinds of reservation keep it free of deadlocks:
/// - [`Budget::wait_for`] is for what passes, such as an image: it waits until others have given back enough. Whoever
///   holds such a reservation must not wait for another.
/// - [`Budget::hold`] is for what stays, such as a program: it never waits for others of its kind.
///   [`Budget::hold_chosen`] is its sibling for what the user chose the size of.
///
/// ```
/// use eyespot_system::Budget;
/// let budget = Budget::new(1000);
/// let program = budget.hold(600)?;
/// assert!(budget.wait_for(500).is_err(), "would never fit beside the program");
/// drop(program);
/// assert!(budget.wait_for(500).is_ok());
/// # Ok::<(), eyespot_system::OverBudget>(())
/// ```
#[derive(Debug)]
pub struct Budget {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug)]
struct State {
    limit: u64,
    /// The most that everything together may take, chosen things included.
    most: u64,
    held: u64,
    chosen: u64,
    passing: u64,
    /// The most that was reserved at a time.
    peak: u64,
}

/// More memory than there will ever be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("needs {} of memory, of which {} are allowed; allow more with --memory", Size(*.needed), Size(*.free))]
pub struct OverBudget {
    /// Bytes that were asked for.
    pub needed: u64,
    /// Bytes that can be had at most.
    pub free: u64,
}

/// Bytes that are reserved until this is dropped.
#[derive(Debug)]
pub struct Reserved<'a> {
    budget: &'a Budget,
    bytes: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Passing,
    Held,
    Chosen,
}

impl Budget {
    /// A budget of its own, for tests.
    pub fn new(bytes: u64) -> Budget {
        Budget::with(bytes, bytes)
    }

    fn with(limit: u64, most: u64) -> Budget {
        let state = State { limit, most, held: 0, chosen: 0, passing: 0, peak: 0 };
        Budget { state: Mutex::new(state), freed: Condvar::new() }
    }

    /// The process's. By default a quarter of the memory that the machine, the control group and the limit of address
    /// space leave to it, at least 1 GiB (or half of that memory, where it is less than 2 GiB); with what the user chose,
    /// three quarters.
    pub fn process() -> &'static Budget {
        static PROCESS: OnceLock<Budget> = OnceLock::new();
        PROCESS.get_or_init(|| {
            let available = available();
            Budget::with(default_limit(available), available / 4 * 3)
        })
    }

    /// Allows another number of bytes from now on, for everything together.
    pub fn set_limit(&self, bytes: u64) {
        let mut state = self.lock();
        (state.limit, state.most) = (bytes, bytes);
        drop(state);
        self.freed.notify_all();
    }

    /// Bytes allowed in all.
    pub fn limit(&self) -> u64 {
        self.lock().limit
    }

    /// The most bytes that were reserved at a time.
    pub fn peak(&self) -> u64 {
        self.lock().peak
    }

    /// Reserves for something that passes; waits while others leave too little.
    ///
    /// # Errors
    /// More than there is beside what is held: waiting would not help.
    pub fn wait_for(&self, bytes: u64) -> Result<Reserved<'_>, OverBudget> {
        let mut state = self.lock();
        loop {
            let free = state.beside_held();
            if bytes > free {
                return Err(OverBudget { needed: bytes, free });
            }
            if bytes <= free.saturating_sub(state.passing) {
                state.passing += bytes;
                state.mark();
                return Ok(Reserved { budget: self, bytes, kind: Kind::Passing });
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reserves for something that stays. Waits at most for what passes.
    ///
    /// # Errors
    /// More than there is beside what is held already.
    pub fn hold(&self, bytes: u64) -> Result<Reserved<'_>, OverBudget> {
        self.keep(bytes, Kind::Held)
    }

    /// As [`Budget::hold`], for what is as large as the user chose, and no file: a program that trains with a number of
    /// images at once. It may take three quarters of the memory, unless [`Budget::set_limit`] says otherwise, and leaves
    /// their part to images where that is possible.
    ///
    /// # Errors
    /// More than there is beside what is held already.
    pub fn hold_chosen(&self, bytes: u64) -> Result<Reserved<'_>, OverBudget> {
        self.keep(bytes, Kind::Chosen)
    }

    fn keep(&self, bytes: u64, kind: Kind) -> Result<Reserved<'_>, OverBudget> {
        let mut state = self.lock();
        let free = match kind {
            Kind::Chosen => state.most.saturating_sub(state.held + state.chosen),
            Kind::Held | Kind::Passing => state.beside_held(),
        };
        if bytes > free {
            return Err(OverBudget { needed: bytes, free });
        }
        // Taken first, so that nothing new can overtake it.
        *state.of(kind) += bytes;
        while state.passing > state.beside_held() {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.mark();
        self.freed.notify_all();
        Ok(Reserved { budget: self, bytes, kind })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock: the numbers stay right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What images may take.
    fn beside_held(&self) -> u64 {
        let limit = self.limit.saturating_sub(self.held);
        limit.min(self.most.saturating_sub(self.held + self.chosen))
    }

    fn of(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Passing => &mut self.passing,
            Kind::Held => &mut self.held,
            Kind::Chosen => &mut self.chosen,
        }
    }

    fn mark(&mut self) {
        self.peak = self.peak.max(self.held + self.chosen + self.passing);
    }
}

impl Reserved<'_> {
    /// Bytes reserved.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether this now is a reservation of `bytes` in all; `false` where that would mean waiting (or can't be at all),
    /// and then nothing has changed.
    #[must_use]
    pub fn try_grow_to(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let mut state = self.budget.lock();
        if more > state.beside_held().saturating_sub(state.passing) {
            return false;
        }
        *state.of(self.kind) += more;
        state.mark();
        self.bytes += more;
        true
    }

    /// Gives back all but `bytes`.
    pub fn shrink_to(&mut self, bytes: u64) {
        let less = self.bytes.saturating_sub(bytes);
        self.bytes -= less;
        self.give_back(less);
    }

    fn give_back(&self, bytes: u64) {
        let mut state = self.budget.lock();
        *state.of(self.kind) -= bytes;
        drop(state);
        self.budget.freed.notify_all();
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

/// A number of bytes as a person reads it.
pub(crate) struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 30 => write!(f, "{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
            bytes if bytes >= 1 << 20 => write!(f, "{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// The bytes that `2G`, `512M`, `1.5GiB` or `1000000` mean; units count in 1,024.
///
/// # Errors
/// Says how a size is written.
///
/// ```
/// use eyespot_system::parse_size;
/// assert_eq!(parse_size("1.5G"), Ok(3 << 29));
/// assert!(parse_size("much").is_err());
/// ```
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; write a number and K, M, G or T, such as 2G");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number: f64 = digits.trim().parse().map_err(|_| wrong())?;
    let bytes = number * unit as f64;
    if !(1.0..9e18).contains(&bytes) {
        return Err(wrong());
    }
    Ok(bytes as u64)
}

fn default_limit(available: u64) -> u64 {
    (available / 4).max(LEAST.min(available / 2))
}

/// Bytes that the process can have: the smallest of the machine's memory, its control groups' limits, and its limit of
/// address space.
fn available() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let machine = in_meminfo(&read("/proc/meminfo"));
    let address_space = in_limits(&read("/proc/self/limits"));
    let groups = group_files(&read("/proc/self/cgroup"));
    let groups = groups.into_iter().filter_map(|path| read(&path).trim().parse().ok());
    groups.chain(machine).chain(address_space).min().unwrap_or(UNKNOWN)
}

/// `MemTotal:       16384 kB`
fn in_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `Max address space         3072000000           unlimited            bytes`: the first is what counts.
fn in_limits(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Files that may hold a limit on the memory of the process's control groups, from `/proc/self/cgroup`. A group is also
/// bound by those above it. In a container the groups' own folder is mounted in place of the whole tree.
fn group_files(text: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(mut group)) = (fields.next(), fields.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        loop {
            group = group.trim_end_matches('/');
            files.push(format!("{root}{group}/{file}"));
            let Some((above, _)) = group.rsplit_once('/') else { break };
            group = above;
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::Duration;

    #[test]
    fn what_does_not_fit_yet_waits_and_what_never_fits_is_an_error() {
        let budget = Budget::new(100);
        let first = budget.wait_for(60).expect("fits");
        assert_eq!(budget.wait_for(101).unwrap_err(), OverBudget { needed: 101, free: 100 });
        let given_back = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let reserved = budget.wait_for(50).expect("fits beside nothing");
                assert!(given_back.load(Ordering::SeqCst), "it had to wait");
                assert_eq!(reserved.bytes(), 50);
            });
            std::thread::sleep(Duration::from_millis(30));
            given_back.store(true, Ordering::SeqCst);
            drop(first);
            second.join().expect("ends");
        });
        assert_eq!(budget.peak(), 60);
    }

    #[test]
    fn many_threads_never_take_more_than_the_budget_and_all_end() {
        let budget = Budget::new(1000);
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8u64 {
                let (budget, taken) = (&budget, &taken);
                scope.spawn(move || {
                    for round in 0..500u64 {
                        let bytes = (thread * 131 + round * 71) % 1001;
                        let reserved = budget.wait_for(bytes).expect("each fits alone");
                        assert!(taken.fetch_add(bytes, Ordering::SeqCst) + bytes <= 1000);
                        taken.fetch_sub(bytes, Ordering::SeqCst);
                        drop(reserved);
                    }
                });
            }
        });
        assert!(budget.peak() <= 1000 && budget.wait_for(1000).is_ok());
    }

    #[test]
    fn growing_never_waits() {
        let budget = Budget::new(100);
        let mut first = budget.wait_for(40).expect("fits");
        let second = budget.wait_for(40).expect("fits");
        assert!(first.try_grow_to(60) && !first.try_grow_to(61));
        assert_eq!(first.bytes(), 60);
        drop(second);
        assert!(first.try_grow_to(100));
        first.shrink_to(1);
        assert!(budget.wait_for(99).is_ok());
    }

    #[test]
    fn a_program_that_comes_while_one_waits_turns_the_wait_into_an_error() {
        let budget = Budget::new(100);
        let mut passing = budget.wait_for(60).expect("fits");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.wait_for(90).map(|_| ()));
            std::thread::sleep(Duration::from_millis(20));
            let held = budget.hold(40).expect("fits");
            assert_eq!(waiting.join().expect("ends"), Err(OverBudget { needed: 90, free: 60 }));
            drop(held);
        });
        passing.shrink_to(0);
        assert!(budget.hold(101).is_err());
    }

    #[test]
    fn what_the_user_chose_leaves_images_their_part() {
        let budget = Budget::with(100, 300);
        let training = budget.hold_chosen(220).expect("fits");
        assert_eq!(budget.wait_for(81).unwrap_err(), OverBudget { needed: 81, free: 80 });
        assert_eq!(budget.hold_chosen(81).map(|_| ()), Err(OverBudget { needed: 81, free: 80 }));
        drop(training);
        assert!(budget.wait_for(100).is_ok() && budget.hold(101).is_err());
        budget.set_limit(50);
        assert!(budget.hold_chosen(51).is_err(), "a limit that was set counts for all");
    }

    #[test]
    fn the_default_is_a_quarter_but_at_least_a_gibibyte() {
        const GIB: u64 = 1 << 30;
        for (available, expected) in [(64 * GIB, 16 * GIB), (3 * GIB, GIB), (GIB, GIB / 2)] {
            assert_eq!(default_limit(available), expected);
        }
    }

    #[test]
    fn limits_are_found_in_the_systems_files() {
        assert_eq!(in_meminfo("MemTotal:       24641884 kB\nMemFree: 1 kB\n"), Some(24_641_884 * 1024));
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max cpu time              unlimited            unlimited            seconds   \n\
                      Max address space         3072000000           unlimited            bytes     \n";
        assert_eq!(in_limits(limits), Some(3_072_000_000));
        assert_eq!(in_limits(&limits.replace("3072000000", "unlimited ")), None);
        assert_eq!(
            group_files("0::/user.slice/run-1.scope\n"),
            [
                "/sys/fs/cgroup/user.slice/run-1.scope/memory.max",
                "/sys/fs/cgroup/user.slice/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!(
            group_files("5:cpu,cpuacct:/x\n4:memory:/docker/ab\n"),
            [
                "/sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes"
            ]
        );
        assert!(Budget::process().limit() > 0);
    }

    #[test]
    fn sizes_are_read_as_written() {
        for (text, bytes) in [("2G", 2 << 30), ("512m", 512 << 20), ("1.5 GiB", 3 << 29), ("4096", 4096)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "-1G", "0", "nan", "inf", "1e300G", "2X", "2 G B", "ä"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(Size(3 << 29).to_string(), "1.5 GiB");
    }
}
