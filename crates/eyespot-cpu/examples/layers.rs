//! Where a network's time goes, layer by layer:
//! `cargo run --release -p eyespot-cpu --example layers -- NETWORK BATCH infer|train [THREADS]`
//! With `sum` after the threads, only the share of each kind of step. Times are each step's least of a few rounds.

use eyespot_cpu::{Cpu, LayerTime};
use eyespot_graph::{Inference, Optimizer, Training, Update, initialise, zoo};
use std::time::Instant;

const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, default: &str| args.get(i).map_or(default, String::as_str).to_owned();
    let (network, mode) = (arg(0, "resnet50"), arg(2, "infer"));
    let (batch, threads) = (arg(1, "1").parse::<usize>()?, arg(3, "0").parse()?);
    let graph = zoo::build(&network, 1000, None)?;
    let params = initialise(&graph, 0);
    let cpu = Cpu::new(threads);
    let input: Vec<f32> =
        (0..batch * graph.input_shape().elements()).map(|i| (i % 255) as f32 / 255.0 - 0.5).collect();

    let mut rounds: Vec<Vec<LayerTime>> = Vec::new();
    let memory = if mode == "train" {
        let mut program = cpu.compile_training(&graph, &params, batch, 0)?;
        let gradient = vec![1e-3; batch * graph.output_shape().elements()];
        let optimizer = Optimizer::Sgd { momentum: 0.9, nesterov: false };
        for step in 0..ROUNDS as u64 {
            let mut times = program.profile(&input, batch, &gradient)?;
            let start = Instant::now();
            program.update(&Update {
                optimizer,
                learning_rate: 1e-5,
                weight_decay: 1e-4,
                gradient_scale: 1.0,
                step,
                ema_decay: None,
            })?;
            let (name, seconds) = ("optimizer".to_owned(), start.elapsed().as_secs_f64());
            times.push(LayerTime { name, algorithm: "sgd", multiply_adds: 0, seconds });
            rounds.push(times);
        }
        program.memory_bytes()
    } else {
        let start = Instant::now();
        let mut program = cpu.compile_inference_owned(&graph, params, batch)?;
        println!("compiled in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
        for _ in 0..ROUNDS {
            rounds.push(program.profile(&input, batch)?);
        }
        program.memory_bytes()
    };
    // Each step's least time, which other programs disturb the least.
    let mut times = rounds[0].clone();
    for round in &rounds {
        for (least, now) in times.iter_mut().zip(round) {
            least.seconds = least.seconds.min(now.seconds);
        }
    }
    let total: f64 = times.iter().map(|time| time.seconds).sum();

    let gflops = |time: &LayerTime| 2e-9 * time.multiply_adds as f64 / time.seconds;
    if arg(4, "") != "sum" {
        for time in &times {
            let (ms, rate) = (time.seconds * 1e3, gflops(time));
            println!("{ms:9.3} ms {rate:7.1} GFLOPS  {:20} {}", time.algorithm, time.name);
        }
    }
    let mut kinds: Vec<(String, f64)> = Vec::new();
    for time in &times {
        let task = time.name.split_once(": ").map_or("", |(_, task)| task);
        let kind = format!("{} {task}", time.algorithm);
        match kinds.iter_mut().find(|(own, _)| *own == kind) {
            Some((_, seconds)) => *seconds += time.seconds,
            None => kinds.push((kind, time.seconds)),
        }
    }
    kinds.sort_by(|a, b| b.1.total_cmp(&a.1));
    let sum: f64 = kinds.iter().map(|(_, seconds)| seconds).sum();
    for (kind, seconds) in kinds {
        println!("{:9.2} ms {:5.1} %  {kind}", seconds * 1e3, 100.0 * seconds / sum);
    }
    let work: f64 = times.iter().map(|t| 2e-9 * t.multiply_adds as f64).sum();
    println!(
        "{network} {mode} batch {batch}, {} threads: {:.2} ms, {:.2} ms a picture, {:.0} GFLOPS, {} MiB",
        cpu.threads(),
        total * 1e3,
        total * 1e3 / batch as f64,
        work / total,
        memory >> 20
    );
    Ok(())
}
