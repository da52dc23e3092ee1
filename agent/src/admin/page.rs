//! The text format of OpenMetrics: one family after the other.

use peer_exchange::Histogram;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;

pub(super) type Label = (&'static str, String);

pub(super) enum Value {
    Counter(u64),
    FloatCounter(f64),
    Gauge(f64),
}

impl Value {
    fn encode(self, metric: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Counter(n) => ConstCounter::new(n).encode(metric),
            Self::FloatCounter(x) => ConstCounter::new(x).encode(metric),
            Self::Gauge(x) => ConstGauge::new(x).encode(metric),
        }
    }
}

/// The page as it is written; every name gets its prefix here.
pub(super) struct Page<'a>(DescriptorEncoder<'a>);

impl<'a> Page<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.family(
            name,
            help,
            MetricType::Counter,
            [(Vec::new(), Value::Counter(value))],
        )
    }

    pub(super) fn float_counter(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let values = [(Vec::new(), Value::FloatCounter(value))];
        self.family(name, help, MetricType::Counter, values)
    }

    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: &[(&str, u64)],
    ) -> fmt::Result {
        let values = values
            .iter()
            .map(|(value, n)| (vec![(label, (*value).to_owned())], Value::Counter(*n)));
        self.family(name, help, MetricType::Counter, values)
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.family(
            name,
            help,
            MetricType::Gauge,
            [(Vec::new(), Value::Gauge(value))],
        )
    }

    pub(super) fn gauges(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Label, f64)>,
    ) -> fmt::Result {
        let values = values
            .into_iter()
            .map(|(label, value)| (vec![label], Value::Gauge(value)));
        self.family(name, help, MetricType::Gauge, values)
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, times: &Histogram) -> fmt::Result {
        let name = format!("peer_exchange_{name}");
        let help = help.trim_end_matches('.');
        let mut encoder = self
            .0
            .encode_descriptor(&name, help, None, MetricType::Histogram)?;
        let ranges = times.ranges().map(|(until, n)| {
            let until = until.map_or(f64::INFINITY, |until| until.as_secs_f64());
            (until, n)
        });
        let ranges: Vec<_> = ranges.collect();
        let (sum, count) = (times.sum().as_secs_f64(), times.count());
        encoder.encode_histogram::<NoLabelSet>(sum, count, &ranges, None)
    }

    pub(super) fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        values: impl IntoIterator<Item = (Vec<Label>, Value)>,
    ) -> fmt::Result {
        let name = format!("peer_exchange_{name}");
        let help = help.trim_end_matches('.');
        let mut family = self.0.encode_descriptor(&name, help, None, kind)?;
        for (labels, value) in values {
            if labels.is_empty() {
                // Without an empty pair of braces.
                return value.encode(family);
            }
            value.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
