//! Writes a page in the Prometheus text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::time::SystemTime;

use prometheus::TextEncoder;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::status::Latencies;

/// Labels and value.
pub type Sample<'a> = (Vec<(&'a str, &'a str)>, f64);

/// A page of metrics.
#[derive(Debug, Default)]
pub struct Page(Vec<MetricFamily>);

impl Page {
    /// Adds a gauge. Without a sample it is omitted.
    pub fn gauge<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = Sample<'a>>) {
        let metrics = samples.into_iter().map(|(labels, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            let mut metric = metric_with_labels(&labels);
            metric.set_gauge(gauge);
            metric
        });
        self.family(name, help, MetricType::GAUGE, metrics.collect());
    }

    /// Adds a counter.
    pub fn counter<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = Sample<'a>>) {
        let metrics = samples.into_iter().map(|(labels, value)| {
            let mut counter = Counter::default();
            counter.set_value(value);
            let mut metric = metric_with_labels(&labels);
            metric.set_counter(counter);
            metric
        });
        self.family(name, help, MetricType::COUNTER, metrics.collect());
    }

    /// Adds a histogram of latencies.
    pub fn histogram(&mut self, name: &str, help: &str, latencies: &Latencies) {
        let mut histogram = Histogram::default();
        histogram.set_sample_count(latencies.count());
        histogram.set_sample_sum(latencies.sum().as_secs_f64());
        let buckets = latencies.within().map(|(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        let mut metric = metric_with_labels(&[]);
        metric.set_histogram(histogram);
        self.family(name, help, MetricType::HISTOGRAM, vec![metric]);
    }

    /// Encodes the page.
    ///
    /// # Errors
    /// If the page breaks the format's rules.
    pub fn text(&self) -> Result<String, String> {
        TextEncoder::new()
            .encode_to_string(&self.0)
            .map_err(|error| error.to_string())
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }
}

fn metric_with_labels(labels: &[(&str, &str)]) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    Metric::from_label(pairs.collect())
}

/// Creates a sample without labels.
pub fn unlabelled<'a>(value: f64) -> Sample<'a> {
    (Vec::new(), value)
}

/// Returns 1 for true.
pub fn number_of(flag: bool) -> f64 {
    f64::from(u8::from(flag))
}

/// Converts a count. Prometheus's numbers are all f64, which is exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
pub fn count(number: u64) -> f64 {
    number as f64
}

/// Returns the seconds since 1970.
pub fn since_1970(time: SystemTime) -> Option<f64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs_f64())
}
