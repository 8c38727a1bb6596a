//! Memory and loops over tasks.

use super::{Function, constant, threads};
use eyespot_kernels::{Floats, Threads};
use std::sync::atomic::{AtomicUsize, Ordering};

/// As many tasks as can be counted in a test, or more than there can be.
fn runs_all(tasks: usize, run: impl FnOnce(&AtomicUsize)) {
    let count = AtomicUsize::new(0);
    assert!(!(1 << 20..=usize::MAX / 2).contains(&tasks), "not asked");
    run(&count);
    assert_eq!(count.into_inner(), tasks);
}

pub fn functions() -> Vec<Function> {
    let nothing = Function {
        name: "",
        variant: "",
        sizes: &[5],
        memory: &[],
        needs: |_| Vec::new(),
        call: |_, _| unreachable!(),
    };
    vec![
        Function {
            name: "memory.rs::zeroed",
            // Sizes for which there may or may not be memory are not asked for.
            call: |s, _| {
                assert!(s[0] < 1 << 20 || s[0] >= 1 << 61, "not asked");
                let len = Floats::zeroed(s[0]).len();
                if len != s[0] {
                    eprintln!("1 calls, the first: {len} for {}", s[0]);
                    std::process::exit(3);
                }
            },
            ..nothing
        },
        Function {
            name: "memory.rs::copied",
            sizes: &[],
            needs: |_| constant(&[50]),
            call: |_, slices| assert_eq!(Floats::copied(&slices[0]).len(), 50),
            ..nothing
        },
        Function {
            name: "threads.rs::run",
            call: |s, _| {
                runs_all(s[0], |count| {
                    threads().run(s[0], |_| _ = count.fetch_add(1, Ordering::Relaxed));
                });
            },
            ..nothing
        },
        Function {
            name: "threads.rs::run_on",
            call: |s, _| {
                runs_all(s[0], |count| {
                    Threads::new(1).run_on(s[0], |_, _| _ = count.fetch_add(1, Ordering::Relaxed));
                });
            },
            ..nothing
        },
        Function {
            name: "threads.rs::chunks",
            needs: |_| constant(&[100]),
            sizes: &[7],
            call: |s, slices| {
                threads().chunks(&mut slices[0], s[0], |_, part| part.fill(1.0));
                assert!(slices[0].len() == 100 && slices[0].iter().all(|&x| x == 1.0));
            },
            ..nothing
        },
        Function {
            name: "threads.rs::chunks2",
            needs: |_| constant(&[100, 50]),
            sizes: &[10, 5],
            call: |s, slices| {
                let [a, b] = slices else { unreachable!() };
                threads().chunks2((a, s[0]), (b, s[1]), |_, a, b| {
                    a.fill(1.0);
                    b.fill(1.0);
                });
                assert!(a.len() + b.len() == 150 && a.iter().chain(b.iter()).all(|&x| x == 1.0));
            },
            ..nothing
        },
        Function {
            name: "threads.rs::chunks_of",
            needs: |_| constant(&[100, 70]),
            sizes: &[10],
            call: |s, slices| {
                let [a, b] = slices else { unreachable!() };
                threads().chunks_of([a, b], s[0], |_, parts| parts.into_iter().for_each(|p| p.fill(1.0)));
                assert!(a.len() + b.len() == 170 && a.iter().chain(b.iter()).all(|&x| x == 1.0));
            },
            ..nothing
        },
        Function {
            name: "threads.rs::split",
            needs: |s| vec![s[0].max(s[1]).max(s[2])],
            sizes: &[10, 20, 40],
            call: |s, slices| threads().split(&mut slices[0], s, |_, part| part.fill(1.0)),
            ..nothing
        },
    ]
}
