//! The plot: six numbers over the number of nodes, on logarithmic axes, at the topology on which
//! each system does worst.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::case::Candidate;
use crate::measure::Outcome;
use crate::process::Measured;
use crate::table::{Key, Rows};

const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
const TEXT: RGBColor = RGBColor(0x33, 0x33, 0x33);
const FONT: &str = "sans-serif";

type Number = fn(&Key, &Outcome) -> Option<f64>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const PANELS: [(&str, Number); 6] = [
    ("cold start: all know all, ms", |_, o| {
        Some(o.cold.as_ref()?.all_ms)
    }),
    ("cold start: bytes over the least possible", |k, o| {
        Some(k.ratio(o.cold.as_ref()?))
    }),
    ("cold start: CPU a node, µs", |k, o| {
        Some(k.per_node(o.cold.as_ref()?.cpu_ns as f64 / 1e3))
    }),
    ("memory of all nodes, MB", |_, o| {
        o.cold.as_ref().map(|_| o.peak_bytes as f64 / 1e6)
    }),
    ("one change: known everywhere, ms", |_, o| {
        Some(o.change.as_ref()?.all_ms)
    }),
    ("nothing changing: bytes a node and second", |_, o| {
        Some(o.steady.as_ref()?.bytes)
    }),
];

/// Draws what was measured.
///
/// # Errors
/// When the file cannot be written.
pub fn draw(path: &Path, measured: &[Measured]) -> Result<(), Box<dyn Error>> {
    let rows = Rows::new(measured);
    let root = SVGBackend::new(path, (960, 1_060)).into_drawing_area();
    root.fill(&WHITE)?;
    let (head, body) = root.split_vertically(74);
    legend(&head)?;
    for (area, (title, number)) in body.split_evenly((3, 2)).iter().zip(PANELS) {
        panel(area, title, &worst(&rows, number))?;
    }
    root.present()?;
    Ok(())
}

fn colour(candidate: Candidate) -> RGBColor {
    match candidate {
        Candidate::PeerExchange => RGBColor(0x1b, 0x6c, 0xa8),
        Candidate::Foca => RGBColor(0xd9, 0x5f, 0x0e),
        Candidate::Chitchat => RGBColor(0x7a, 0x51, 0x95),
        Candidate::IrohGossip => RGBColor(0x4d, 0x7c, 0x3f),
    }
}

fn width(candidate: Candidate) -> u32 {
    if candidate == Candidate::PeerExchange {
        3
    } else {
        2
    }
}

/// The largest over the topologies, where all have it, by candidate and size.
fn worst(rows: &Rows, number: Number) -> BTreeMap<Candidate, Vec<(f64, f64)>> {
    let mut by_size: BTreeMap<(Candidate, u32), Vec<f64>> = BTreeMap::new();
    for (key, value) in rows.lossless(number) {
        by_size
            .entry((key.candidate, key.size))
            .or_default()
            .push(value);
    }
    let mut lines: BTreeMap<Candidate, Vec<(f64, f64)>> = BTreeMap::new();
    for ((candidate, size), values) in by_size {
        if let Some(most) = values.into_iter().max_by(f64::total_cmp) {
            lines
                .entry(candidate)
                .or_default()
                .push((size.into(), most));
        }
    }
    lines
}

fn legend(area: &Area<'_>) -> Result<(), Box<dyn Error>> {
    let title =
        "The same work, in one harness: virtual time, 1 ms links, the worst of ring, line, star";
    area.draw(&Text::new(
        title,
        (24, 14),
        (FONT, 20).into_font().color(&TEXT),
    ))?;
    for (x, candidate) in (0..).map(|i| 24 + 220 * i).zip(Candidate::ALL) {
        let line = colour(candidate).stroke_width(width(candidate));
        area.draw(&PathElement::new(vec![(x, 54), (x + 28, 54)], line))?;
        area.draw(&Circle::new((x + 14, 54), 4, colour(candidate).filled()))?;
        let style = (FONT, 15).into_font().color(&TEXT);
        area.draw(&Text::new(candidate.name(), (x + 36, 47), style))?;
    }
    Ok(())
}

fn panel(
    area: &Area<'_>,
    title: &str,
    lines: &BTreeMap<Candidate, Vec<(f64, f64)>>,
) -> Result<(), Box<dyn Error>> {
    let values = || lines.values().flatten().map(|(_, value)| value.max(1e-3));
    // Whole decades, so that the axes have no other labels.
    let least = 10_f64.powf(values().fold(1e9, f64::min).log10().floor());
    let most = 10_f64.powf(values().fold(least * 2.0, f64::max).log10().ceil());
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(22)
        .caption(title, (FONT, 16).into_font().color(&TEXT))
        .x_label_area_size(34)
        .y_label_area_size(62)
        .build_cartesian_2d((2.5..1_200.0).log_scale(), (least..most).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_desc("nodes")
        .x_labels(4)
        .x_label_formatter(&|x| label(*x))
        .y_labels(6)
        .y_label_formatter(&|y| label(*y))
        .label_style((FONT, 13).into_font().color(&TEXT))
        .draw()?;
    // Ours last: on top.
    for (candidate, points) in lines.iter().rev() {
        let line = colour(*candidate).stroke_width(width(*candidate));
        chart.draw_series(LineSeries::new(points.iter().copied(), line))?;
        let dot = |point: &(f64, f64)| Circle::new(*point, 4, colour(*candidate).filled());
        chart.draw_series(points.iter().map(dot))?;
    }
    Ok(())
}

fn label(y: f64) -> String {
    match y {
        y if y >= 1e6 => format!("{:.0} M", y / 1e6),
        y if y >= 1e3 => format!("{:.0} k", y / 1e3),
        y if y >= 1.0 => format!("{y:.0}"),
        y => format!("{y}"),
    }
}
