//! `cargo run --release --manifest-path benches/peers/Cargo.toml`: the table and the plot.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Also write what was measured, as JSON
    #[arg(long)]
    save: Option<PathBuf>,
    /// Measure nothing: table and plot of what was saved
    #[arg(long)]
    from: Option<PathBuf>,
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
    let measured = match &args.from {
        Some(path) => serde_json::from_str(&read(path)?)?,
        None => measure(args)?,
    };
    if let Some(path) = &args.save {
        fs::write(path, serde_json::to_string(&measured)?)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    print!("{}", table::markdown(&measured));
    plot::draw(&args.plot, &measured)
        .map_err(|error| format!("cannot draw {}: {error}", args.plot.display()))?;
    eprintln!("The plot is {}.", args.plot.display());
    Ok(())
}

fn read(path: &PathBuf) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn measure(args: &Args) -> Result<Vec<Measured>, Box<dyn Error>> {
    let largest = if args.quick { 100 } else { u32::MAX };
    let mut cases = Case::all(largest, args.cpu_seconds, args.memory_gb);
    let wanted = |case: &Case| {
        args.filter
            .iter()
            .any(|part| case.label().contains(part.as_str()))
    };
    cases.retain(|case| args.filter.is_empty() || wanted(case));
    if cases.is_empty() {
        return Err(format!("no row's name contains {}", args.filter.join(" or ")).into());
    }
    let all = cases.len();
    let count = std::sync::atomic::AtomicUsize::new(0);
    Ok(measure_all(cases, args.jobs.max(1), |(case, outcome)| {
        let nth = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let ended = outcome.stopped.as_deref().unwrap_or("done");
        eprintln!("[{nth}/{all}] {}: {ended}", case.label());
    }))
}
