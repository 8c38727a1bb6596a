"""Two classifiers on the same images, for crates/eyespot-train/tests/paired.rs.

McNemar's p is statsmodels' exact one. The bootstrap's interval is held against the bootstrap's own distribution, which needs no
drawing: a resampled difference is a sum of n independent steps of +1, -1 or 0, so its distribution is a power of a polynomial.
10,000 draws estimate its 2.5 % quantile to within 0.6 points of probability (four standard errors), so the cases hold the
quantiles at 1.9 and 3.1 %, and at 96.9 and 98.1 %.
The log loss is scikit-learn's, of softmax probabilities in f64.

The script also shows scipy's bootstrap beside it, and counts how often the interval holds the true difference.

Run by hand with the versions of requirements.txt:  python scripts/reference/comparison.py
"""

import json
from pathlib import Path

import numpy as np
from scipy.special import softmax
from scipy.stats import bootstrap
from sklearn.metrics import log_loss
from statsmodels.stats.contingency_tables import mcnemar

OUT = Path(__file__).parents[2] / "crates" / "eyespot-train" / "tests" / "data" / "comparison.json"

# Images, only the first right, only the second right.
PAIRS = [
    (10, 0, 0), (10, 1, 0), (20, 0, 6), (30, 5, 5), (50, 3, 9), (153, 4, 11), (300, 90, 8), (300, 21, 30),
    (1000, 60, 61), (1000, 45, 80), (3000, 400, 900), (3000, 0, 1), (5000, 1200, 1290),
]  # fmt: skip


def distribution(images, only_first, only_second):
    """The probabilities of the resampled differences -images..images, as counts."""
    step = np.array([only_first, images - only_first - only_second, only_second]) / images
    power, result, exponent = step, np.array([1.0]), images
    while exponent:
        if exponent % 2:
            result = np.convolve(result, power)
        power = np.convolve(power, power)
        exponent //= 2
    return np.cumsum(result)


def quantile(cumulated, images, p):
    return (int(np.searchsorted(cumulated, p)) - images) / images


def pair(images, only_first, only_second):
    both = images - only_first - only_second
    p = mcnemar([[both, only_first], [only_second, 0]], exact=True).pvalue
    cumulated = distribution(images, only_first, only_second)
    low, high = ([quantile(cumulated, images, p) for p in ends] for ends in ((0.019, 0.031), (0.969, 0.981)))
    return {
        "images": images, "only_first": only_first, "only_second": only_second,
        "p": float(p), "low": low, "high": high,
    }  # fmt: skip


def scores():
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(12, 4)) * 6).astype(np.float32)
    labels = rng.integers(0, 4, 12)
    value = log_loss(labels, softmax(rows.astype(np.float64), axis=1), labels=range(4))
    return {"scores": rows.ravel().tolist(), "outputs": 4, "labels": labels.tolist(), "log_loss": float(value)}


def coverage(first, second, images, rounds=2000, resamples=2000):
    """How often the percentile interval holds the difference of two classifiers whose only-right shares are given."""
    rng = np.random.default_rng(0)
    held = 0
    for counts in rng.multinomial(images, [first, second, 1 - first - second], rounds):
        drawn = rng.multinomial(images, counts / images, resamples)
        low, high = np.quantile((drawn[:, 1] - drawn[:, 0]) / images, [0.025, 0.975])
        held += low - 1e-12 <= second - first <= high + 1e-12
    return held / rounds


if __name__ == "__main__":
    cases = ",\n".join(json.dumps(pair(*p)) for p in PAIRS)
    OUT.write_text('{"pairs": [\n' + cases + '\n],\n"log_loss": ' + json.dumps(scores()) + "}\n")
    for images, a, b in [(153, 4, 11), (300, 90, 8)]:
        steps = np.repeat([-1, 1, 0], [a, b, images - a - b])
        ends = bootstrap((steps,), np.mean, n_resamples=10_000, method="percentile", rng=0).confidence_interval
        print(f"{images} images, {a} and {b}: scipy {ends.low:.4f} to {ends.high:.4f}")
    for first, second, images in [
        (0.05, 0.05, 50), (0.02, 0.1, 100), (0.1, 0.2, 150), (0.05, 0.08, 300), (0.01, 0.01, 100), (0.03, 0.05, 1000),
    ]:  # fmt: skip
        print(f"only right {first} and {second}, {images} images: holds in {coverage(first, second, images):.1%}")
