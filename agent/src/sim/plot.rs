//! The plot of a simulation.

use super::report::Report;
use super::run::Curve;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const KNOWLEDGE: RGBColor = RGBColor(0x1b, 0x6c, 0xa8);
const BYTES: RGBColor = RGBColor(0xd9, 0x5f, 0x0e);
const ASKERS: RGBColor = RGBColor(0x4d, 0x7c, 0x3f);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

/// Draws knowledge and bytes over time, and how many asked one node.
pub(super) fn draw(path: &Path, report: &Report, curve: &Curve) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (960, 860)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = format!(
        "{} of {} nodes, cold start: {}",
        report.topology,
        report.nodes,
        if report.converged {
            format!(
                "everybody knows everybody after {:.0} ms",
                report.virtual_ms
            )
        } else {
            "not converged".to_owned()
        }
    );
    let root = root.titled(&title, ("sans-serif", 22))?;
    let [first, second, third] = &root.split_evenly((3, 1))[..] else {
        return Ok(());
    };
    let n = report.nodes as f64;
    let pairs = (n * (n - 1.0)).max(1.0);
    let ms = |at: &std::time::Duration| at.as_secs_f64() * 1e3;
    let known: Vec<_> = curve
        .points
        .iter()
        .map(|(at, known, _)| (ms(at), *known as f64 / pairs * 100.0))
        .collect();
    line(
        first,
        "records known, % of all",
        "virtual time, ms",
        &known,
        100.0,
        KNOWLEDGE,
    )?;
    let sent: Vec<_> = curve
        .points
        .iter()
        .map(|(at, _, b)| (ms(at), *b as f64 / n / 1e3))
        .collect();
    let most = sent.last().map_or(1.0, |p| p.1).max(0.1);
    line(
        second,
        "sent per node so far, kB",
        "virtual time, ms",
        &sent,
        most,
        BYTES,
    )?;
    histogram(third, &curve.askers)?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn line(
    area: &Area<'_>,
    y: &str,
    x: &str,
    points: &[(f64, f64)],
    most: f64,
    color: RGBColor,
) -> Result<(), Box<dyn Error>> {
    let end = points.last().map_or(1.0, |p| p.0).max(0.001);
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end, 0.0..most * 1.04)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .x_desc(x)
        .y_desc(y)
        .label_style(("sans-serif", 13))
        .draw()?;
    chart.draw_series(AreaSeries::new(
        points.iter().copied(),
        0.0,
        color.mix(0.12),
    ))?;
    chart.draw_series(LineSeries::new(
        points.iter().copied(),
        color.stroke_width(2),
    ))?;
    Ok(())
}

fn histogram(area: &Area<'_>, askers: &[usize]) -> Result<(), Box<dyn Error>> {
    let most = askers.iter().copied().max().unwrap_or(1) as u32;
    let width = most.div_ceil(60).max(1);
    let bins = most / width + 1;
    let mut nodes = vec![0_u32; bins as usize];
    askers
        .iter()
        .for_each(|n| nodes[(*n as u32 / width) as usize] += 1);
    let top = nodes.iter().copied().max().unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0..bins * width, 0..top + top / 12 + 1)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .x_desc("most distinct nodes that asked it within 200 ms")
        .y_desc("nodes")
        .label_style(("sans-serif", 13))
        .draw()?;
    let bar = |(i, n): (usize, &u32)| {
        let left = i as u32 * width;
        Rectangle::new([(left, 0), (left + width, *n)], ASKERS.mix(0.7).filled())
    };
    chart.draw_series(nodes.iter().enumerate().filter(|(_, n)| **n > 0).map(bar))?;
    Ok(())
}
