//! Every safe function, called with any sizes and any slices, either is right or panics.
//!
//! Each is called with sizes and slices that go together, with each slice one number shorter, and with sizes that
//! contradict the slices: huge ones, and such whose products wrap around to the very length that is there. The slices
//! lie between pages that may not be touched, so that reaching out of them ends the process; each function therefore
//! has a process of its own.

mod fence;
mod functions;
mod size;

use fence::{Edge, Fenced};
use functions::{Function, WITHOUT_SLICES, functions};
use size::Size;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Which function a child process calls.
const CHILD: &str = "EYESPOT_SOUNDNESS_FUNCTION";

/// How long one function's calls may take; they take a few seconds without optimisation.
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn safe_functions_are_right_or_panic_for_any_sizes() {
    let functions = functions();
    let failures: Vec<String> = functions
        .iter()
        .enumerate()
        .filter_map(|(index, function)| in_a_process_of_its_own(index, function).err())
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), functions.len(), failures.join("\n"));
}

/// What a child process runs; without the variable there is nothing to do.
#[test]
fn one_function() {
    let Ok(index) = std::env::var(CHILD) else { return };
    let function = &functions()[index.parse::<usize>().unwrap()];
    std::panic::set_hook(Box::new(|_| ()));
    let wrong = wrong_calls(function);
    drop(std::panic::take_hook());
    assert!(wrong.is_empty(), "{} calls, the first: {}", wrong.len(), wrong[0]);
}

fn in_a_process_of_its_own(index: usize, function: &Function) -> Result<(), String> {
    let Function { name, variant, .. } = function;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "one_function", "--nocapture"])
        .env(CHILD, index.to_string())
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let text = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
            let text: Vec<&str> = text.lines().filter(|line| line.contains("calls, the first")).collect();
            return if status.success() {
                Ok(())
            } else {
                Err(format!("{name} {variant}: {status} {}", text.join(" ")))
            };
        }
        if start.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("{name} {variant}: not done after {LIMIT:?}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All calls of a function that did something else than expected.
fn wrong_calls(function: &Function) -> Vec<String> {
    let lens: Vec<usize> =
        needs(function, function.sizes).iter().map(|n| usize::try_from(n.0).unwrap()).collect();
    let mut wrong = Vec::new();
    for edge in [Edge::End, Edge::Start] {
        let mut call = |sizes: &[usize], slices: &mut [Fenced], may_return: bool, must_return: bool| {
            slices.iter_mut().for_each(Fenced::renew);
            let returned = catch_unwind(AssertUnwindSafe(|| (function.call)(sizes, slices))).is_ok();
            if (returned && !may_return) || (!returned && must_return) {
                let what = if returned { "returned" } else { "panicked" };
                let lens: Vec<usize> = slices.iter().map(|slice| slice.len()).collect();
                wrong.push(format!("sizes {sizes:?} with slices {lens:?} {what}"));
            }
        };
        let mut slices: Vec<Fenced> = lens.iter().map(|&len| Fenced::new(len, edge)).collect();
        call(function.sizes, &mut slices, true, true);
        for i in 0..lens.len() {
            if lens[i] > 0 {
                let whole = std::mem::replace(&mut slices[i], Fenced::new(lens[i] - 1, edge));
                call(function.sizes, &mut slices, false, false);
                slices[i] = whole;
            }
        }
        for sizes in hostile_sizes(function) {
            let fits = needs(function, &sizes).iter().zip(&lens).all(|(need, &len)| need.0 <= len as u128);
            call(&sizes, &mut slices, fits, false);
        }
    }
    wrong
}

fn needs(function: &Function, sizes: &[usize]) -> Vec<Size> {
    let sizes: Vec<Size> = sizes.iter().map(|&size| Size(size as u128)).collect();
    (function.needs)(&sizes)
}

const HUGE: [usize; 16] = [
    0,
    1,
    2,
    3,
    (1 << 16) + 1,
    1 << 30,
    (1 << 31) - 1,
    1 << 31,
    1 << 32,
    (1 << 32) + 1,
    1 << 48,
    1 << 61,
    1 << 62,
    1 << 63,
    usize::MAX - 1,
    usize::MAX,
];

/// Sizes some of which are not what they should be.
fn hostile_sizes(function: &Function) -> Vec<Vec<usize>> {
    let base = function.sizes;
    // What a function may ask memory for by itself must be small, or more than there can be.
    let allowed =
        |i: usize, size: usize| !function.memory.contains(&i) || !((1 << 16)..(1usize << 33)).contains(&size);
    let mut all = Vec::new();
    let mut with = |changes: &[(usize, usize)]| {
        let mut sizes = base.to_vec();
        changes.iter().for_each(|&(i, size)| sizes[i] = size);
        if changes.iter().all(|&(i, size)| allowed(i, size)) {
            all.push(sizes);
        }
    };
    for i in 0..base.len() {
        for size in HUGE {
            with(&[(i, size)]);
        }
        for j in 0..base.len() {
            if j == i {
                continue;
            }
            for (a, b) in
                [(1 << 32, 1 << 32), (1 << 63, 2), (1 << 62, 4), (1 << 48, 1 << 16), (1 << 33, 1 << 31)]
            {
                with(&[(i, a), (j, b)]);
            }
            // Products that wrap around to what they should be.
            for odd in [3, (1 << 32) + 1, (1 << 33) - 1, usize::MAX] {
                with(&[(i, odd), (j, base[i].wrapping_mul(base[j]).wrapping_mul(inverse(odd)))]);
            }
        }
    }
    // Three of which any two multiplied wrap around to nothing.
    for i in 0..base.len() {
        for j in 0..i {
            for k in 0..j {
                with(&[(i, 1 << 32), (j, 1 << 32), (k, 1 << 32)]);
            }
        }
    }
    // Any number of them at once.
    let mut state = 1u64;
    let mut draw = |count: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % count
    };
    for _ in 0..400 {
        let changes: Vec<(usize, usize)> = (0..1 + draw(4))
            .map(|_| {
                let size = match draw(4) {
                    0 => HUGE[draw(HUGE.len())],
                    1 => 1 << draw(64),
                    2 => draw(40),
                    _ => (1usize << draw(63)) + draw(3),
                };
                (draw(base.len().max(1)), size)
            })
            .collect();
        if !base.is_empty() {
            with(&changes);
        }
    }
    all
}

/// The number whose product with an odd one wraps around to 1.
fn inverse(odd: usize) -> usize {
    (0..6).fold(odd, |x, _| x.wrapping_mul(2usize.wrapping_sub(odd.wrapping_mul(x))))
}

#[test]
fn inverses_are_inverses() {
    for odd in [1, 3, (1 << 32) + 1, usize::MAX] {
        assert_eq!(odd.wrapping_mul(inverse(odd)), 1);
    }
}

/// The table is complete: a function added to the crate has to be added to it, too.
#[test]
fn every_public_function_is_in_the_table() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = path.strip_prefix(&source).unwrap().to_str().unwrap().replace('\\', "/");
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for line in code.lines() {
                let line = line.trim_start().replace("const fn", "fn").replace("unsafe fn", "fn");
                if let Some(rest) = line.strip_prefix("pub fn ") {
                    let name = rest.split(['(', '<']).next().unwrap();
                    found.insert(format!("{file}::{name}"));
                }
            }
        }
    }
    let called = functions().into_iter().map(|function| function.name);
    let table: BTreeSet<String> = called.chain(WITHOUT_SLICES).map(str::to_owned).collect();
    assert_eq!(found, table);
}
