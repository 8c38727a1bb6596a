//! Reads every picture of a data set once, as evaluation does, and prints how long it took: `load FOLDER THREADS BATCH`.
//! `bench/peers/data.py` runs it beside torchvision.

use eyespot_data::{Dataset, Loader, LoaderOptions, SplitOptions, Transform};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: load FOLDER [THREADS] [BATCH]")?;
    let mut number = |otherwise: usize| arguments.next().map_or(Ok(otherwise), |text| text.parse());
    let mut options = LoaderOptions::new(Transform::imagenet());
    options.threads = number(2)?;
    options.batch_size = number(32)?;
    let start = std::time::Instant::now();
    let data = Dataset::open(folder, &SplitOptions { validation: 0.0, ..SplitOptions::default() })?;
    let samples: Vec<_> = data.train.iter().chain(&data.val).chain(&data.test).cloned().collect();
    let (mut images, mut sum) = (0, 0.0);
    for batch in Loader::new(&samples, (0..samples.len()).collect(), options)? {
        let batch = batch?;
        images += batch.len();
        // Sixteen sums side by side, as torch adds up: the check must not cost more here than there.
        for row in batch.inputs.chunks(224 * 3) {
            let mut lanes = [0.0f32; 16];
            for values in row.chunks_exact(16) {
                lanes.iter_mut().zip(values).for_each(|(lane, value)| *lane += value);
            }
            sum += f64::from(lanes.iter().sum::<f32>());
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let mean = sum / (images * 224 * 224 * 3) as f64;
    println!("{{\"images\": {images}, \"seconds\": {seconds}, \"mean\": {mean}}}");
    Ok(())
}
