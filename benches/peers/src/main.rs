//! `cargo run --release --manifest-path benches/peers/Cargo.toml`: the table and the plot.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::Parser;
use peers::case::Case;
use peers::process::{Measured, child, measure_all};
use peers::{plot, table};

/// peer-exchange and other crates at the same work: prints the table, draws the plot.
#[derive(Parser)]
struct Args {
    /// Up to 100 nodes only: a minute instead of a quarter of an hour
    #[arg(long)]
    quick: bool,
    /// Only rows whose name contains this, such as `foca` or `1000 star`; again for more
    #[arg(long)]
    filter: Vec<String>,
    /// CPU time that a row may take, in seconds
    #[arg(long, default_value_t = 100)]
    cpu_seconds: u64,
    /// Memory that a row may take, in gigabytes
    #[arg(long, default_value_t = 14)]
    memory_gb: u64,
    /// Rows at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Where to draw the plot
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/comparison.svg"))]
    plot: PathBuf,
    /// Also write the table into this document, in place of what follows `<!-- table -->`
    #[arg(long)]
    document: Option<PathBuf>,
    /// Append each row to this file, one JSON a line, and do not measure what it has already
    #[arg(long)]
    save: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Measure one row in this process, and print it as JSON
    One(Case),
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    if let Some(Command::One(case)) = &args.command {
        println!("{}", child(case)?);
        // Not worth the time: freeing gigabytes one by one.
        std::process::exit(0);
    }
    let measured = measure(args)?;
    let table = table::markdown(&measured);
    print!("{table}");
    if let Some(path) = &args.document {
        write_into(path, &table)?;
    }
    plot::draw(&args.plot, &measured)
        .map_err(|error| format!("cannot draw {}: {error}", args.plot.display()))?;
    eprintln!("The plot is {}.", args.plot.display());
    Ok(())
}

fn write_into(path: &Path, table: &str) -> Result<(), String> {
    let failed = |why: String| format!("cannot write into {}: {why}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let text = table::replaced(&text, table)
        .ok_or_else(|| failed(format!("it has no line {}", table::MARK)))?;
    std::fs::write(path, text).map_err(|error| failed(error.to_string()))
}

fn measure(args: &Args) -> Result<Vec<Measured>, Box<dyn Error>> {
    let largest = if args.quick { 100 } else { u32::MAX };
    let mut cases = Case::all(largest, args.cpu_seconds, args.memory_gb);
    let wanted = |case: &Case| {
        let contains = |part: &String| case.label().contains(part.as_str());
        args.filter.is_empty() || args.filter.iter().any(contains)
    };
    cases.retain(wanted);
    if cases.is_empty() {
        return Err(format!("no row's name contains {}", args.filter.join(" or ")).into());
    }
    let mut saved = Saved::open(args.save.as_deref())?;
    let mut measured = std::mem::take(&mut saved.rows);
    measured.retain(|(case, _)| cases.contains(case));
    cases.retain(|case| measured.iter().all(|(other, _)| other != case));
    let (all, saved) = (cases.len(), Mutex::new((saved, 0)));
    measured.extend(measure_all(cases, args.jobs.max(1), |row| {
        let (saved, nth) = &mut *saved.lock().unwrap_or_else(PoisonError::into_inner);
        *nth += 1;
        let ended = row.1.stopped.as_deref().unwrap_or("done");
        eprintln!("[{nth}/{all}] {}: {ended}", row.0.label());
        if let Err(error) = saved.append(row) {
            eprintln!("warning: this row is not saved: {error}");
        }
    }));
    Ok(measured)
}

/// The rows of a file, one JSON a line.
struct Saved {
    file: Option<File>,
    rows: Vec<Measured>,
}

impl Saved {
    fn open(path: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let Some(path) = path else {
            return Ok(Self {
                file: None,
                rows: Vec::new(),
            });
        };
        let open = || -> std::io::Result<(File, String)> {
            let mut file = File::options()
                .read(true)
                .append(true)
                .create(true)
                .open(path)?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok((file, text))
        };
        let (file, text) =
            open().map_err(|error| format!("cannot use {}: {error}", path.display()))?;
        let parse = |(nth, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| {
                format!(
                    "{}:{}: not a row of this command: {error}",
                    path.display(),
                    nth + 1
                )
            })
        };
        let rows = text
            .lines()
            .enumerate()
            .map(parse)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            file: Some(file),
            rows,
        })
    }

    fn append(&mut self, row: &Measured) -> std::io::Result<()> {
        match &mut self.file {
            Some(file) => writeln!(file, "{}", serde_json::to_string(row)?),
            None => Ok(()),
        }
    }
}
