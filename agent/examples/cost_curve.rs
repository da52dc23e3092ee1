//! Draws what a cold start costs from ten nodes to ten thousand, from reports of `peerx sim --json`
//! on standard input:
//!
//! ```sh
//! for n in 10 30 100 300 1000 3000 10000; do for t in ring star random:3; do
//!     peerx sim --topology $t --nodes $n --json
//! done; done | cargo run --release -p peerx --example cost_curve -- docs/costs.svg
//! ```

use std::collections::BTreeMap;
use std::error::Error;

use plotters::prelude::*;
use serde_json::Value;

const COLORS: [RGBColor; 3] = [
    RGBColor(0x1b, 0x6c, 0xa8),
    RGBColor(0xd9, 0x5f, 0x0e),
    RGBColor(0x4d, 0x7c, 0x3f),
];
const GRID: RGBColor = RGBColor(0xe8, 0xe8, 0xe8);
const TEXT: RGBColor = RGBColor(0x33, 0x33, 0x33);

/// One curve for each topology: (nodes, value).
type Curves = BTreeMap<String, Vec<(f64, f64)>>;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("where to? FILE.svg")?;
    let reports = serde_json::Deserializer::from_reader(std::io::stdin()).into_iter::<Value>();
    let reports = reports.collect::<Result<Vec<_>, _>>()?;
    let root = SVGBackend::new(&path, (1080, 400)).into_drawing_area();
    root.fill(&WHITE)?;
    let style = TextStyle::from(("sans-serif", 22)).color(&TEXT);
    let root = root.titled("What a cold start costs", style)?;
    let number = |r: &Value, key: &str| r[key].as_f64().unwrap_or_default();
    let delivered = move |r: &Value| number(r, "nodes") * (number(r, "nodes") - 1.0);
    let panels = root.split_evenly((1, 3));
    let bytes = curves(&reports, |r| number(r, "bytes") / delivered(r));
    panel(&panels[0], "bytes for each record delivered", &bytes)?;
    let time = curves(&reports, |r| number(r, "virtual_ms"));
    panel(&panels[1], "virtual ms until all know all", &time)?;
    let cpu = curves(&reports, |r| number(r, "cpu_ms") * 1e3 / delivered(r));
    panel(&panels[2], "CPU µs for each record delivered", &cpu)?;
    root.present()?;
    Ok(())
}

fn curves(reports: &[Value], value: impl Fn(&Value) -> f64) -> Curves {
    let mut curves = Curves::new();
    for report in reports {
        let name = report["topology"].as_str().unwrap_or("?").to_owned();
        let nodes = report["nodes"].as_f64().unwrap_or(1.0);
        curves.entry(name).or_default().push((nodes, value(report)));
    }
    curves
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    curves: &Curves,
) -> Result<(), Box<dyn Error>> {
    let all = || curves.values().flatten();
    let most = all().map(|p| p.1).fold(0.001, f64::max);
    let (from, to) = (
        all().map(|p| p.0).fold(f64::MAX, f64::min),
        all().map(|p| p.0).fold(1.0, f64::max),
    );
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        // Half of the last label.
        .margin_right(26)
        .caption(title, ("sans-serif", 16).into_font().color(&TEXT))
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d((from..to).log_scale(), 0.0..most * 1.08)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_desc("nodes")
        .x_labels(5)
        .y_labels(7)
        .x_label_formatter(&|n| format!("{n:.0}"))
        .label_style(("sans-serif", 13).into_font().color(&TEXT))
        .draw()?;
    for ((name, points), color) in curves.iter().zip(COLORS.iter().cycle()) {
        let dots = points.iter().map(|p| Circle::new(*p, 3, color.filled()));
        let series = LineSeries::new(points.iter().copied(), color.stroke_width(2));
        chart
            .draw_series(series)?
            .label(name.as_str())
            .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        chart.draw_series(dots)?;
    }
    // Where there is no curve: above its end if it falls, below if it rises.
    let rises = curves
        .values()
        .all(|points| match (points.first(), points.last()) {
            (Some(first), Some(last)) => first.1 < last.1,
            _ => false,
        });
    let position = if rises {
        SeriesLabelPosition::LowerRight
    } else {
        SeriesLabelPosition::UpperRight
    };
    chart
        .configure_series_labels()
        .position(position)
        .border_style(GRID)
        .background_style(WHITE)
        .label_font(("sans-serif", 13).into_font().color(&TEXT))
        .draw()?;
    Ok(())
}
