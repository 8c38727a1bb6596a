//! Pictures through a transform and a network.

use crate::Error;
use crate::compute::Compute;
use eyespot_data::{Batch, Loader, LoaderOptions, Transform};
use eyespot_graph::{Device, Graph, Inference, Params};
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A network with its weights and the transform before it. The program is compiled at the first picture, for as many
/// pictures at once as are wanted then.
pub(crate) struct Runner {
    graph: Graph,
    params: Params,
    transform: Transform,
    compute: Compute,
    batch: usize,
    strict: bool,
    program: Mutex<Option<Box<dyn Inference>>>,
}

impl Runner {
    /// # Errors
    /// A transform that is unsound or makes pictures of another size than the network takes.
    pub fn new(graph: Graph, params: Params, transform: Transform) -> Result<Self, Error> {
        let (compute, program) = (Compute::new(None, 0), Mutex::new(None));
        let runner = Self { graph, params, transform, compute, batch: 1, strict: false, program };
        runner.check()?;
        Ok(runner)
    }

    fn check(&self) -> Result<(), Error> {
        self.transform.validate()?;
        let (height, width) = self.transform.crop;
        let (given, taken) = (self.transform.len(), self.graph.input_shape());
        if given == taken.elements() {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "the network takes pictures of {taken}, but the transform makes {}×{height}×{width}; set --crop to fit",
            self.transform.channels()
        )))
    }

    pub fn threads(mut self, threads: usize) -> Self {
        self.compute = self.compute.with_threads(threads);
        self.program = Mutex::new(None);
        self
    }

    pub fn device(mut self, device: Arc<dyn Device>) -> Self {
        self.compute = self.compute.with_device(device);
        self.program = Mutex::new(None);
        self
    }

    pub fn batch(mut self, pictures: usize) -> Self {
        self.batch = pictures.max(1);
        self.program = Mutex::new(None);
        self
    }

    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    pub fn with_transform(mut self, transform: Transform) -> Result<Self, Error> {
        self.transform = transform;
        self.check()?;
        Ok(self)
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub fn transform(&self) -> &Transform {
        &self.transform
    }

    pub fn loading(&self) -> LoaderOptions {
        LoaderOptions {
            batch_size: self.batch,
            threads: self.compute.threads(),
            refuse_damaged: self.strict,
            ..LoaderOptions::new(self.transform.clone())
        }
    }

    /// The network's outputs for pictures that are ready, images × outputs.
    pub fn run(&self, input: &[f32], images: usize) -> Result<Vec<f32>, Error> {
        if images == 0 {
            return Ok(Vec::new());
        }
        self.with_program(images, |program| Ok(program.run(input, images)?.to_vec()))
    }

    /// Compiles the program if that isn't done yet: a network that takes more memory than there is must be an error before
    /// its first picture takes as much.
    pub fn prepare(&self) -> Result<(), Error> {
        self.with_program(1, |_| Ok(()))
    }

    fn with_program<T>(
        &self,
        images: usize,
        run: impl FnOnce(&mut Box<dyn Inference>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // A thread that panicked while holding the program can't have left half a program.
        let mut program = self.program.lock().unwrap_or_else(|e| e.into_inner());
        match &mut *program {
            Some(program) => run(program),
            empty => {
                let batch = self.batch.max(images);
                run(empty.insert(self.compute.device().inference(&self.graph, &self.params, batch)?))
            }
        }
    }

    /// A part of the network as a program for single pictures.
    pub fn compile(&self, part: &Graph) -> Result<Box<dyn Inference>, Error> {
        Ok(self.compute.device().inference(part, &self.params, 1)?)
    }

    /// The network's outputs for one picture.
    pub fn picture(&self, picture: &RgbImage) -> Result<Vec<f32>, Error> {
        self.prepare()?;
        let mut input = vec![0.0; self.transform.len()];
        self.transform.apply(picture, &mut input).map_err(|e| Error::Picture(e.to_string()))?;
        self.run(&input, 1)
    }

    /// Reads a picture's file as the transform wants it.
    pub fn read(&self, path: &Path) -> Result<RgbImage, Error> {
        let decoded = self.loading().decoding().decode(path);
        Ok(decoded.map_err(|e| Error::file(path, e.to_string()))?.image)
    }

    /// Files, folders and globs, read and computed as the iterator goes, batch by batch; `done` makes of a batch and its
    /// outputs (or what went wrong with them all) one item per picture.
    pub fn stream<'a, T: 'a>(
        &'a self,
        paths: impl IntoIterator<Item = PathBuf>,
        done: impl Fn(Batch, Result<Vec<f32>, Error>) -> Vec<T> + 'a,
    ) -> Result<impl Iterator<Item = T> + 'a, Error> {
        self.prepare()?;
        let pictures = eyespot_data::pictures(paths.into_iter().collect());
        let loader = Loader::stream(pictures, self.loading())?;
        // Only settings can be wrong in a batch as a whole, and they were checked with the transform.
        Ok(loader.map_while(Result::ok).flat_map(move |batch| {
            let outputs = self.run(&batch.inputs, batch.len());
            done(batch, outputs)
        }))
    }
}

/// The notes about each picture of a batch, in their order.
pub(crate) fn notes_of(batch: &Batch) -> Vec<Vec<String>> {
    let mut notes = batch.notes.iter().peekable();
    let of = |path: &PathBuf| {
        let mut own = Vec::new();
        while let Some(noted) = notes.next_if(|noted| noted.path == *path) {
            own.push(noted.note.to_string());
        }
        own
    };
    batch.paths.iter().map(of).collect()
}

/// A network's outputs for a picture, unless they aren't numbers: no answer follows from those.
///
/// # Errors
/// Infinity or NaN among them.
pub(crate) fn finite(outputs: &[f32]) -> Result<&[f32], String> {
    match outputs.iter().all(|x| x.is_finite()) {
        true => Ok(outputs),
        false => Err("gets scores that are not finite numbers: the model's weights are out of all bounds; use another \
                      model, or train it again with a lower --lr or with --clip 1"
            .to_owned()),
    }
}
