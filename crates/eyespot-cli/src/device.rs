//! What computes: the flags --device, --precision and --fast, and `eyespot devices`.

use crate::args::DeviceArgs;
use crate::output;
use eyespot::{Device, DeviceChoice, DeviceEntry, Error, Precision};
use eyespot_system::printable;
use std::process::ExitCode;
use std::sync::Arc;

impl DeviceArgs {
    /// Opens what was chosen; none for the CPU.
    pub fn open(&self) -> Result<Option<Arc<dyn Device>>, Error> {
        open(self.device, self.precision, self.fast)
    }
}

/// Opens a device and says in a line which GPU computes.
pub fn open(
    choice: DeviceChoice,
    precision: Option<Precision>,
    fast: bool,
) -> Result<Option<Arc<dyn Device>>, Error> {
    let opened = choice.open(precision, fast, Arc::new(|text| output::warning(&printable(text))))?;
    if let Some(about) = &opened.about {
        output::say(&format!("device   {}", printable(about)));
    }
    Ok(opened.device)
}

/// `eyespot devices`.
pub fn run(json: bool) -> anyhow::Result<ExitCode> {
    for device in eyespot::devices() {
        output::line(if json { serde_json::to_string(&device)? } else { text(&device) })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(device: &DeviceEntry) -> String {
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64);
    let mut line = format!("{:<7} {}", device.choice, printable(&device.name));
    if let Some(memory) = device.memory_bytes {
        line += &format!(", {}", gib(memory));
    }
    if let Some(driver) = &device.driver {
        line += &format!(", driver for CUDA {driver}");
    }
    if let Some(cudnn) = &device.cudnn {
        line += &format!(", cuDNN {cudnn}");
    }
    if let Some(why) = &device.unusable {
        line += &format!("\n        can't be used: {}", printable(why));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_a_line_and_a_reason_a_second_one() {
        let gpu = DeviceEntry {
            choice: "cuda:0".to_owned(),
            name: "NVIDIA H100 80GB HBM3".to_owned(),
            memory_bytes: Some(85_028_896_768),
            driver: Some("13.0".to_owned()),
            cudnn: Some("9.19.0".to_owned()),
            unusable: None,
        };
        assert_eq!(text(&gpu), "cuda:0  NVIDIA H100 80GB HBM3, 79.2 GiB, driver for CUDA 13.0, cuDNN 9.19.0");
        let broken = DeviceEntry { cudnn: None, unusable: Some("cuDNN isn't there".to_owned()), ..gpu };
        assert!(text(&broken).ends_with("CUDA 13.0\n        can't be used: cuDNN isn't there"));
    }
}
