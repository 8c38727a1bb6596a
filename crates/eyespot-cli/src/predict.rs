//! `eyespot predict`.

use crate::args::{Format, PredictArgs};
use crate::{FAILED, model, output, progress};
use eyespot::{ClassScore, Classifier, Error, PathPrediction, Prediction};
use eyespot_system::{printable, printable_path};
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

pub fn run(args: &PredictArgs) -> anyhow::Result<ExitCode> {
    let (classifier, paths) = model::load(&args.paths, &args.published, &args.transform)?;
    // A handful of files needs no larger program than themselves.
    let files = if paths.iter().all(|path| path.is_file()) { paths.len() } else { usize::MAX };
    let top_k = (args.top_k as usize).min(classifier.classes().len());
    let mut classifier = classifier
        .top_k(top_k)
        .threads(args.threads)
        .strict(args.strict)
        .batch((args.batch as usize).min(files));
    if let Some(device) = args.device.open()? {
        classifier = classifier.device(device);
    }
    let naming = Naming { classifier, paths, top_k, args };
    let (done, failed) = match &args.output {
        None => naming.write_all(&mut BufWriter::new(io::stdout().lock()), !io::stdout().is_terminal())?,
        Some(path) => {
            let mut file = output::create(path, args.overwrite)?;
            let counts = naming.write_all(&mut file, true).map_err(|error| writing(path, error))?;
            // An empty file would only look like a result.
            if counts.0 > 0 {
                file.commit().map_err(|error| Error::writing(path, error))?;
                output::line(format!("{} pictures: {}", counts.0, printable_path(path)))?;
            }
            counts
        }
    };
    if failed > 0 {
        output::say(&format!("pictures: {done} named, {failed} could not be read"));
        return Ok(ExitCode::from(FAILED));
    }
    if done == 0 {
        output::error("there are no pictures in these folders");
        return Ok(ExitCode::from(FAILED));
    }
    Ok(ExitCode::SUCCESS)
}

/// An error of the system while predictions are written is one of their file.
fn writing(path: &std::path::Path, error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<io::Error>() {
        Ok(error) => Error::writing(path, error).into(),
        Err(error) => error,
    }
}

/// Everything that is to be named, and how.
struct Naming<'a> {
    classifier: Classifier,
    paths: Vec<PathBuf>,
    top_k: usize,
    args: &'a PredictArgs,
}

impl Naming<'_> {
    /// Names all pictures; returns how many were named and how many could not be.
    fn write_all(self, out: &mut impl Write, with_bar: bool) -> anyhow::Result<(u64, u64)> {
        let bar = progress::pictures(with_bar);
        if self.args.format == Format::ExcelCsv {
            out.write_all("\u{feff}".as_bytes())?;
        }
        if self.is_table() {
            self.record(out, &self.header())?;
        }
        let (mut done, mut failed) = (0u64, 0u64);
        for picture in self.classifier.predict_paths(self.paths.iter().cloned())? {
            match &picture.result {
                Ok(_) => done += 1,
                Err(cause) => {
                    failed += 1;
                    out.flush()?;
                    bar.suspend(|| output::error(&format!("{} {cause}", printable_path(&picture.path))));
                }
            }
            for note in &picture.notes {
                out.flush()?;
                bar.suspend(|| output::warning(&format!("{} {note}", printable_path(&picture.path))));
            }
            self.write(out, &picture)?;
            bar.set_position(done);
            // Whoever reads along sees each batch when it is done.
            if done % self.args.batch == 0 {
                out.flush()?;
            }
        }
        out.flush()?;
        bar.finish_and_clear();
        Ok((done, failed))
    }

    fn is_table(&self) -> bool {
        matches!(self.args.format, Format::Csv | Format::ExcelCsv)
    }

    fn is_sure(&self, prediction: &Prediction) -> bool {
        self.args.threshold.is_none_or(|threshold| prediction.probability >= threshold)
    }

    fn write(&self, out: &mut impl Write, picture: &PathPrediction) -> io::Result<()> {
        match (&picture.result, self.args.format) {
            (_, Format::Json) => writeln!(out, "{}", self.object(picture)?),
            (Ok(p), Format::Csv | Format::ExcelCsv) => self.record(out, &self.row(picture, p)),
            (Ok(p), Format::Text) => writeln!(out, "{}", self.sentence(picture, p)),
            // Told on stderr.
            (Err(_), _) => Ok(()),
        }
    }

    fn object(&self, picture: &PathPrediction) -> serde_json::Result<String> {
        let path = &picture.path.to_string_lossy();
        serde_json::to_string(&match &picture.result {
            Ok(p) => Line::Named {
                path,
                label: picture.label.as_deref(),
                prediction: self.is_sure(p).then_some(&p.prediction),
                probability: p.probability,
                top: &p.top,
            },
            Err(error) => Line::Failed { path, error },
        })
    }

    fn sentence(&self, picture: &PathPrediction, p: &Prediction) -> String {
        let path = printable_path(&picture.path);
        let label =
            picture.label.as_ref().map(|l| format!(" with label {}", printable(l))).unwrap_or_default();
        let said = if self.is_sure(p) { "predicted as" } else { "uncertain, at most" };
        let class = |c: &ClassScore| format!("{} ({:.2})", printable(&c.class), c.probability);
        let classes: Vec<String> = p.top.iter().map(class).collect();
        format!("{path}{label} is {said} {}", classes.join(", "))
    }

    /// Four columns, one more with a threshold, and two for each further class.
    fn header(&self) -> Vec<String> {
        let mut columns = ["path", "label", "prediction", "probability"].map(str::to_owned).to_vec();
        columns.extend(self.args.threshold.map(|_| "uncertain".to_owned()));
        columns.extend((2..=self.top_k).flat_map(|k| [format!("class_{k}"), format!("probability_{k}")]));
        columns
    }

    fn row(&self, picture: &PathPrediction, p: &Prediction) -> Vec<String> {
        let path = picture.path.to_string_lossy().into_owned();
        let probability = |p: f32| format!("{p:.6}");
        let label = picture.label.clone().unwrap_or_default();
        let mut row = vec![path, label, p.prediction.clone(), probability(p.probability)];
        row.extend(self.args.threshold.map(|_| (!self.is_sure(p)).to_string()));
        row.extend(p.top[1..].iter().flat_map(|c| [c.class.clone(), probability(c.probability)]));
        row
    }

    /// A line of the table.
    fn record(&self, out: &mut impl Write, fields: &[String]) -> io::Result<()> {
        let terminator = match self.args.format {
            Format::ExcelCsv => csv::Terminator::CRLF,
            _ => csv::Terminator::Any(b'\n'),
        };
        let mut line = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        line.write_record(fields)?;
        out.write_all(&line.into_inner().map_err(|error| error.into_error())?)
    }
}

/// A line of JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Named {
        path: &'a str,
        label: Option<&'a str>,
        /// Nothing where the probability is below the threshold.
        prediction: Option<&'a str>,
        probability: f32,
        top: &'a [ClassScore],
    },
    Failed {
        path: &'a str,
        error: &'a str,
    },
}
