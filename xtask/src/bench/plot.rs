//! The picture: what an open costs, against the number of rules.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;

use super::rows::Rows;

const SIZE: (u32, u32) = (760, 460);
const FONT: &str = "sans-serif";

/// A curve's series, what it is called, and its color.
const CURVES: [(&str, &str, RGBColor); 4] = [
    (
        "linear",
        "a program that compares with each rule",
        RGBColor(192, 80, 60),
    ),
    ("apparmor", "AppArmor, confined", RGBColor(120, 120, 120)),
    (
        "lsmpc cold",
        "lsmpc, directory not known",
        RGBColor(60, 110, 180),
    ),
    ("lsmpc", "lsmpc, directory known", RGBColor(40, 150, 90)),
];

/// Draws the curves of a run into a file.
pub(crate) fn write(rows: &Rows, heading: &str, path: &Path) -> Result<()> {
    let mut text = String::new();
    draw(rows, heading, &mut text).map_err(|error| anyhow!("drawing: {error}"))?;
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

fn draw(rows: &Rows, heading: &str, to: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(to, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(heading, (FONT, 16))
        .margin(14)
        .margin_right(34)
        .x_label_area_size(42)
        .y_label_area_size(64)
        .build_cartesian_2d(
            (1.0..100_000.0).log_scale(),
            (100.0..1_000_000.0).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc("path rules (both scales are logarithmic)")
        .y_desc("instructions of an open over nothing attached")
        .x_label_formatter(&whole)
        .y_label_formatter(&whole)
        .label_style((FONT, 13))
        .light_line_style(WHITE)
        .draw()?;
    for (series, name, color) in CURVES {
        let points = rows.curve(series);
        if points.is_empty() {
            continue;
        }
        let style = color.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        let dots = points
            .iter()
            .map(|&point| Circle::new(point, 3, color.filled()));
        chart.draw_series(dots)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font((FONT, 13))
        .border_style(RGBColor(200, 200, 200))
        .background_style(WHITE)
        .draw()?;
    area.present()?;
    Ok(())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what the charts ask for")]
fn whole(number: &f64) -> String {
    format!("{number:.0}")
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn curves_are_drawn_the_same_each_time() {
        let values = [
            row("open", "lsmpc", 1, 900),
            row("open", "lsmpc", 10_000, 910),
            row("open", "linear", 100, 5_000),
        ];
        let rows = Rows::new(&values, &[]);
        let drawn = || {
            let mut text = String::new();
            draw(&rows, "Linux", &mut text).unwrap();
            text
        };
        let text = drawn();
        assert!(text.contains("lsmpc, directory known") && !text.contains("AppArmor"));
        assert_eq!(text.matches("<circle").count(), 3);
        assert_eq!(text, drawn());
    }
}
