//! `eyespot bench`.

use crate::args::{BenchArgs, BenchMode};
use crate::output;
use eyespot::Bench;
use eyespot_system::printable;
use std::process::ExitCode;

pub fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let bench = Bench {
        model: args.model.clone(),
        batch: args.batch as usize,
        mode: match args.mode {
            BenchMode::Infer => eyespot::BenchMode::Infer,
            BenchMode::Train => eyespot::BenchMode::Train,
            BenchMode::Data => eyespot::BenchMode::Data,
        },
        threads: args.threads,
        data: args.data.clone(),
        layers: args.layers,
        device: args.device.device,
        precision: args.device.precision,
        fast: args.device.fast,
    };
    let result = bench.run()?;
    if args.json {
        output::line(serde_json::to_string(&result)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for layer in result.layers.iter().flatten() {
        output::line(format!(
            "{:9.3} ms  {:8.1} GFLOPS  {:<24} {}",
            layer.ms, layer.gflops, layer.algorithm, layer.name
        ))?;
    }
    let what = match args.mode {
        BenchMode::Infer => format!("{} inference", result.model),
        BenchMode::Train => format!("{} training step", result.model),
        BenchMode::Data => "files to tensors".to_owned(),
    };
    let on = match &result.device {
        Some(gpu) => printable(gpu),
        None => format!("{} threads", result.threads),
    };
    output::line(format!("{what}, batch {}, {on}, {}", result.batch, result.precision))?;
    output::line(format!(
        "  {:.3} ms per image, {:.1} images/s",
        result.ms_per_image, result.images_per_second
    ))?;
    if let Some(gflops) = result.gflops {
        let of_peak =
            result.share_of_peak.map(|share| format!(", {:.0} % of this machine's peak", 100.0 * share));
        output::line(format!("  {gflops:.0} GFLOPS{}", of_peak.unwrap_or_default()))?;
    }
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / 1048576.0);
    output::line(match result.device_memory_bytes {
        Some(bytes) => format!("  {} of the GPU's memory", mib(bytes)),
        None => format!("  {} of memory at most", mib(result.peak_memory_bytes)),
    })?;
    Ok(ExitCode::SUCCESS)
}
