//! Figures in words, the same in every command.

use eyespot::Metrics;

/// The accuracy with the counts behind it and its interval. `what` is what was counted, such as ` photos`, or nothing.
pub fn accuracy(m: &Metrics, what: &str) -> String {
    let interval = interval(m.accuracy_interval);
    format!("{:.1} % ({} of {}{what}; {interval})", 100.0 * m.accuracy, m.right(), m.images)
}

/// The balanced accuracy with its interval.
pub fn balanced(m: &Metrics) -> String {
    format!("{:.1} % ({})", 100.0 * m.balanced_accuracy, interval(m.balanced_accuracy_interval))
}

/// What the accuracy is to be held against.
pub fn largest_class(m: &Metrics, name: &str) -> String {
    format!("{:.1} % accuracy by always naming {name}", 100.0 * m.largest_class_accuracy)
}

/// A 95 % confidence interval of a share.
pub fn interval([low, high]: [f64; 2]) -> String {
    format!("95 % interval: {:.1} to {:.1} %", 100.0 * low, 100.0 * high)
}
