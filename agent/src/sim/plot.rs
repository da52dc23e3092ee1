//! The plot of a simulation.

use super::report::Report;
use super::run::Curve;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const KNOWLEDGE: RGBColor = RGBColor(0x1b, 0x6c, 0xa8);
const BYTES: RGBColor = RGBColor(0xd9, 0x5f, 0x0e);
const ASKERS: RGBColor = RGBColor(0x4d, 0x7c, 0x3f);
const KNOWN_BY: RGBColor = RGBColor(0x7a, 0x52, 0xa0);
const GRID: RGBColor = RGBColor(0xe8, 0xe8, 0xe8);
const TEXT: RGBColor = RGBColor(0x33, 0x33, 0x33);
const LABELS: i32 = 14;

/// Draws knowledge and bytes over time, how many asked a node, and how many know it.
pub(super) fn draw(path: &Path, report: &Report, curve: &Curve) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (1080, 760)).into_drawing_area();
    root.fill(&WHITE)?;
    let style = TextStyle::from(("sans-serif", 24)).color(&TEXT);
    let root = root.titled(&title(report), style)?;
    let root = root.margin(4, 8, 8, 16);
    let [first, second, third, fourth] = &root.split_evenly((2, 2))[..] else {
        return Ok(());
    };
    let ms = |at: &std::time::Duration| at.as_secs_f64() * 1e3;
    let pairs = curve.pairs.max(1) as f64;
    let n = report.nodes as f64;
    let known = curve.points.iter();
    let known: Vec<_> = known
        .map(|(at, known, _)| (ms(at), *known as f64 / pairs * 100.0))
        .collect();
    let sent = curve.points.iter();
    let sent: Vec<_> = sent
        .map(|(at, _, b)| (ms(at), *b as f64 / n / 1e3))
        .collect();
    let least = pairs / n * report.record_bytes / 1e3;
    let most = sent.last().map_or(1.0, |p| p.1).max(least).max(0.1);
    line(first, "records known, %", &known, 100.0, None, KNOWLEDGE)?;
    line(
        second,
        "sent by a node so far, kB",
        &sent,
        most,
        Some(least),
        BYTES,
    )?;
    let askers: Vec<_> = curve.askers.iter().map(|n| *n as u32).collect();
    histogram(
        third,
        &askers,
        "nodes that asked it within 200 ms, at most",
        ASKERS,
    )?;
    histogram(fourth, &curve.degrees, "nodes that know it", KNOWN_BY)?;
    root.present()?;
    Ok(())
}

fn title(report: &Report) -> String {
    let what = match (report.converged, report.capacity < report.nodes) {
        (true, false) => format!("all know all after {:.0} ms", report.virtual_ms),
        (true, true) => format!("tables full after {:.0} ms", report.virtual_ms),
        (false, _) => "not converged".to_owned(),
    };
    let nodes = crate::usage::count(report.nodes as u64);
    format!("{} of {nodes} nodes, cold start: {what}", report.topology)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// A curve over virtual time; `least` is drawn as a dashed line.
fn line(
    area: &Area<'_>,
    title: &str,
    points: &[(f64, f64)],
    most: f64,
    least: Option<f64>,
    color: RGBColor,
) -> Result<(), Box<dyn Error>> {
    let end = points.last().map_or(1.0, |p| p.0).max(0.001);
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .caption(title, ("sans-serif", 17).into_font().color(&TEXT))
        .x_label_area_size(40)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..end, 0.0..most * 1.06)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_desc("virtual time, ms")
        .x_label_formatter(&|x| short(*x, end))
        .y_label_formatter(&|y| short(*y, most))
        .x_labels(8)
        .y_labels(6)
        .label_style(("sans-serif", LABELS).into_font().color(&TEXT))
        .draw()?;
    let points = || points.iter().copied();
    chart.draw_series(AreaSeries::new(points(), 0.0, color.mix(0.12)))?;
    chart.draw_series(LineSeries::new(points(), color.stroke_width(2)))?;
    if let Some(least) = least {
        let dashes = (0..60).step_by(2).map(|i| {
            let x = |i: u32| end * f64::from(i) / 60.0;
            PathElement::new([(x(i), least), (x(i + 1), least)], TEXT.mix(0.7))
        });
        chart.draw_series(dashes)?;
        let style = TextStyle::from(("sans-serif", LABELS)).color(&TEXT);
        let label = Text::new("each record once", (end * 0.02, least * 0.97), style);
        chart.draw_series([label])?;
    }
    Ok(())
}

/// A number on an axis that ends at `end`.
fn short(x: f64, end: f64) -> String {
    if end < 10.0 {
        format!("{x:.1}")
    } else {
        format!("{x:.0}")
    }
}

fn histogram(
    area: &Area<'_>,
    values: &[u32],
    title: &str,
    color: RGBColor,
) -> Result<(), Box<dyn Error>> {
    const BINS: u32 = 40;
    let (low, high) = (
        values.iter().copied().min().unwrap_or(0),
        values.iter().copied().max().unwrap_or(1),
    );
    let width = (high - low).div_ceil(BINS).max(1);
    let mut nodes = vec![0_u32; ((high - low) / width + 1) as usize];
    values
        .iter()
        .for_each(|n| nodes[((*n - low) / width) as usize] += 1);
    let top = nodes.iter().copied().max().unwrap_or(1);
    // Room at both ends, so that a single bar is one.
    let room = (width * nodes.len() as u32 / 20).max(width);
    let span = low.saturating_sub(room)..low + width * nodes.len() as u32 + room;
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .caption(title, ("sans-serif", 17).into_font().color(&TEXT))
        .x_label_area_size(40)
        .y_label_area_size(52)
        .build_cartesian_2d(span, 0..top + top / 16 + 1)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_desc("so many")
        .y_desc("nodes")
        .x_labels(8)
        .y_labels(6)
        .label_style(("sans-serif", LABELS).into_font().color(&TEXT))
        .draw()?;
    let bar = |(i, n): (usize, &u32)| {
        let left = low + i as u32 * width;
        Rectangle::new([(left, 0), (left + width, *n)], color.mix(0.75).filled())
    };
    chart.draw_series(nodes.iter().enumerate().filter(|(_, n)| **n > 0).map(bar))?;
    Ok(())
}
