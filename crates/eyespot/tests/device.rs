//! The device is the application's choice.

use eyespot::{Classifier, Device, Embedder, Training};
use eyespot_cpu::Cpu;
use eyespot_graph::{DeviceError, Graph, Inference, Params};
use image::{Rgb, RgbImage};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The CPU, which counts the programs that it is asked for.
#[derive(Debug)]
struct Counting {
    cpu: Cpu,
    inference: AtomicUsize,
    training: AtomicUsize,
}

impl Counting {
    fn new() -> Arc<Self> {
        Arc::new(Self { cpu: Cpu::new(1), inference: AtomicUsize::new(0), training: AtomicUsize::new(0) })
    }

    /// Programs for inference and for training.
    fn programs(&self) -> (usize, usize) {
        (self.inference.load(Relaxed), self.training.load(Relaxed))
    }
}

impl Device for Counting {
    fn inference(&self, g: &Graph, params: &Params, batch: usize) -> Result<Box<dyn Inference>, DeviceError> {
        self.inference.fetch_add(1, Relaxed);
        self.cpu.inference(g, params, batch)
    }

    fn training(
        &self,
        graph: &Graph,
        params: &Params,
        batch: usize,
        seed: u64,
    ) -> Result<Box<dyn eyespot_graph::Training>, DeviceError> {
        self.training.fetch_add(1, Relaxed);
        self.cpu.training(graph, params, batch, seed)
    }
}

/// Dark and bright images, a folder per class.
fn images(folder: &Path) {
    for part in ["train", "val"] {
        for (class, light) in [("dark", 40), ("bright", 200)] {
            let class = folder.join(part).join(class);
            std::fs::create_dir_all(&class).unwrap();
            for i in 0..4u8 {
                let shade = i + if part == "train" { 0 } else { 10 };
                let image = RgbImage::from_pixel(32, 32, Rgb([light + shade, light, light - shade]));
                image.save(class.join(format!("{i}.png"))).unwrap();
            }
        }
    }
}

/// Training asks it for one program that learns, one that validates each epoch, and one for `predictions.csv`; the model
/// is the one that the default device gives.
#[test]
fn training_computes_on_the_chosen_device() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("images");
    images(&data);
    let training = |output: &str| {
        Training::new(&data).model("lenet5").epochs(3).seed(5).threads(1).output(folder.path().join(output))
    };
    let device = Counting::new();
    training("chosen").device(Arc::clone(&device) as Arc<dyn Device>).run(&mut ()).unwrap();
    assert_eq!(device.programs(), (2, 1));

    training("default").run(&mut ()).unwrap();
    let model = |run: &str| std::fs::read(folder.path().join(run).join("model.safetensors")).unwrap();
    assert!(model("chosen") == model("default"), "the device isn't part of the model");

    let device = Counting::new();
    let classifier = Classifier::load(folder.path().join("chosen")).unwrap();
    // A number of threads doesn't change the choice.
    let classifier = classifier.device(Arc::clone(&device) as Arc<dyn Device>).threads(2);
    classifier.predict_path(data.join("val/dark/0.png")).unwrap();
    classifier.predict_path(data.join("val/bright/0.png")).unwrap();
    assert_eq!(device.programs(), (1, 0), "one program for all images");
}

#[test]
fn embedding_computes_on_the_chosen_device() {
    let device = Counting::new();
    let embedder =
        Embedder::of_features("pixels").unwrap().device(Arc::clone(&device) as Arc<dyn Device>).threads(1);
    embedder.embed(&RgbImage::new(40, 30)).unwrap();
    assert_eq!(device.programs(), (1, 0));
}
