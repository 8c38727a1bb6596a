//! `eyespot demo`.

use crate::args::DemoArgs;
use crate::evaluate::words;
use crate::output;
use crate::progress::{Progress, duration};
use eyespot::{Demo, Error, Factors, closest};
use eyespot_system::{printable, printable_path};
use std::process::ExitCode;
use std::time::Instant;

pub fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let demo = Demo {
        images: args.images as usize,
        factors: factors(&args.vary)?,
        epochs: args.epochs,
        seed: args.seed,
        threads: args.threads,
    };
    output::say(&format!("drawing {} pictures of each kind", demo.images));
    let mut progress = Progress::new().without_advice();
    let result = demo.run(&args.output, &mut progress)?;
    drop(progress);
    for named in &result.predictions {
        if let (Ok(p), Some(label)) = (&named.result, &named.label) {
            let (path, name) = (printable_path(&named.path), &p.prediction);
            output::line(format!("{path} with label {label} is predicted as {name} ({:.2})", p.probability))?;
        }
    }
    let trained = &result.trained;
    let accuracy = trained.validation.as_ref().map(|m| words::accuracy(m, " pictures")).unwrap_or_default();
    output::line(format!(
        "\nvalidation accuracy {accuracy}, in {}\npictures       {}\ncontact sheet  {}\nmodel          \
         {}/model.safetensors\n\nnext, with a folder of your own photos for each class\n  eyespot train photos/",
        duration(began.elapsed().as_secs_f64()),
        printable_path(&result.pictures),
        printable_path(&result.contact_sheet),
        printable_path(&trained.folder),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// `illumination=0.8` and the like, over the default strengths.
fn factors(vary: &[String]) -> Result<Factors, Error> {
    let mut factors = Factors::default();
    for word in vary {
        let (name, strength) = word.split_once('=').unwrap_or((word, ""));
        let Some(factor) = factors.get_mut(name) else {
            let hint = match closest(name, Factors::NAMES) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known: {}", Factors::NAMES.join(", ")),
            };
            return Err(Error::Usage(format!("pictures don't vary by `{}`; {hint}", printable(name))));
        };
        *factor = match strength.parse::<f32>() {
            Ok(strength) if (0.0..=1.0).contains(&strength) => strength,
            _ => {
                return Err(Error::Usage(format!(
                    "`{}`: a strength is a number from 0 to 1, such as {name}=0.8",
                    printable(word)
                )));
            }
        };
    }
    Ok(factors)
}
