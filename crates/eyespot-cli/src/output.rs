//! Writing: results on stdout, everything else on stderr, colour only where a person looks.

use eyespot::Error;
use eyespot_system::AtomicFile;
use image::RgbImage;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Writes results on stdout.
pub fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes a line of results on stdout.
pub fn line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Begins a file of results.
pub fn create(path: &Path, overwrite: bool) -> Result<AtomicFile, Error> {
    let file = if overwrite { AtomicFile::create(path) } else { AtomicFile::create_new(path) };
    file.map_err(|error| Error::writing(path, error))
}

/// Writes a figure.
pub fn figure(figure: &RgbImage, path: &Path, overwrite: bool) -> Result<(), Error> {
    let saved =
        if overwrite { eyespot::overwrite_png(figure, path) } else { eyespot::save_png(figure, path) };
    Ok(saved?)
}

/// That a figure may and can be written, before it takes long to make.
pub fn check_figure(path: &Path, overwrite: bool) -> Result<(), Error> {
    if !overwrite {
        eyespot::check_png(path)?;
    }
    // A file that is begun and given up leaves nothing.
    AtomicFile::create(path).map(drop).map_err(|error| Error::writing(path, error))
}

/// Whether the reader of our output went away, as `head` does: no reason to complain.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(broken))
}

/// An error for the user.
pub fn error(text: &str) {
    say(&format!("{} {text}", paint("error:", "1;31")));
}

/// Something the user should know.
pub fn warning(text: &str) {
    say(&format!("{} {text}", paint("note:", "1;33")));
}

/// A line on stderr. Nobody may be listening, which is no reason to stop.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether stderr is a terminal that animates.
pub fn animated() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn paint(text: &str, code: &str) -> String {
    let wanted = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    if wanted { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
