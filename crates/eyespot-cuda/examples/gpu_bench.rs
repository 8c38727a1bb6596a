//! Times networks on the first GPU: `gpu_bench NETWORK BATCH infer|train f32|tf32|bf16 [fast] [profile]`, as milliseconds per image.
//! The images are on the GPU already.

use eyespot_cuda::{Cuda, Precision};
use eyespot_graph::{Optimizer, Update, initialise, zoo};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [network, batch, mode, precision, rest @ ..] = &arguments[..] else {
        return Err("gpu_bench NETWORK BATCH infer|train f32|tf32|bf16 [fast]".into());
    };
    let batch: usize = batch.parse()?;
    let precision = match precision.as_str() {
        "f32" => Precision::F32,
        "tf32" => Precision::Tf32,
        _ => Precision::Bf16,
    };
    let mut gpu = Cuda::new(0, precision)?;
    if rest.first().is_some_and(|word| word == "fast") {
        gpu = gpu.fast();
    }
    let graph = zoo::build(network, 1000, None)?;
    let params = initialise(&graph, 0);
    let update = Update {
        optimizer: Optimizer::Sgd { momentum: 0.9, nesterov: false },
        learning_rate: 1e-6,
        weight_decay: 1e-4,
        gradient_scale: 1.0,
        step: 0,
        ema_decay: None,
    };
    if rest.iter().any(|word| word == "profile") {
        let mut sums: Vec<(String, f64, usize)> = Vec::new();
        for (name, seconds) in gpu.profile(&graph, &params, batch, mode == "train")? {
            match sums.iter_mut().find(|(other, _, _)| *other == name) {
                Some((_, sum, count)) => (*sum, *count) = (*sum + seconds, *count + 1),
                None => sums.push((name, seconds, 1)),
            }
        }
        sums.sort_by(|a, b| b.1.total_cmp(&a.1));
        let whole: f64 = sums.iter().map(|(_, seconds, _)| seconds).sum();
        println!("{network} {mode}: {:.2} ms", 1e3 * whole);
        for (name, seconds, count) in sums.iter().take(48) {
            println!("{:8.3} ms {count:3} x {name}", 1e3 * seconds);
        }
        return Ok(());
    }
    let began = Instant::now();
    let (seconds, bytes) = gpu.time(&graph, &params, batch, (mode == "train").then_some(&update))?;
    let all = began.elapsed().as_secs_f64();
    let milliseconds = 1e3 * seconds / batch as f64;
    println!(
        "{network} {mode} b{batch} {}: {milliseconds:.4} ms/image, {} MiB, {all:.1} s in all",
        arguments[3..].join(" "),
        bytes >> 20
    );
    Ok(())
}
