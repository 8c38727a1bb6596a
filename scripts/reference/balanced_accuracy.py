"""Balanced accuracy and its 95 % interval, for crates/eyespot-train/tests/numbers.rs.

The value is scikit-learn's. The interval of two classes follows from statsmodels' Newcombe interval of a difference of two
shares: the recalls are r1 and r2, and (r1 + r2) / 2 = (r1 - (1 - r2) + 1) / 2. Of more classes it is the same square-and-add
rule over statsmodels' Wilson intervals. The script also counts how often the interval holds the true value.

Run by hand with the versions of requirements.txt:  python scripts/reference/balanced_accuracy.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import balanced_accuracy_score
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

OUT = Path(__file__).parents[2] / "crates" / "eyespot-train" / "tests" / "data" / "balanced_accuracy.json"

CONFUSIONS = [
    [[8, 0], [3, 3]],
    [[10, 0], [0, 10]],
    [[0, 4], [7, 0]],
    [[33, 7], [1, 7]],
    [[200, 0], [38, 2]],
    [[1, 0], [0, 1]],
    [[5, 2, 1], [0, 9, 3], [4, 4, 4]],
    [[30, 0, 0], [0, 0, 0], [1, 2, 12]],
    [[1, 1, 1, 1], [0, 50, 0, 0], [0, 3, 17, 0], [2, 2, 2, 80]],
    (np.eye(7, dtype=int) * 5 + np.arange(49).reshape(7, 7) % 3).tolist(),
]


def square_and_add(recalls, intervals):
    recalls, (low, high) = np.asarray(recalls), np.asarray(intervals).T
    mean, classes = recalls.mean(), len(recalls)
    ends = (
        mean - np.sqrt(((recalls - low) ** 2).sum()) / classes,
        mean + np.sqrt(((high - recalls) ** 2).sum()) / classes,
    )
    return [float(np.clip(end, 0, 1)) for end in ends]


def interval(rows):
    rows = [(right, images) for right, images in rows if images]
    if len(rows) == 2:
        (right1, n1), (right2, n2) = rows
        ends = confint_proportions_2indep(right1, n1, n2 - right2, n2, compare="diff", method="newcomb")
        return [float(np.clip((end + 1) / 2, 0, 1)) for end in ends]
    wilson = [proportion_confint(right, images, 0.05, "wilson") for right, images in rows]
    return square_and_add([right / images for right, images in rows], wilson)


def case(confusion):
    labels, predictions = [], []
    for label, row in enumerate(confusion):
        for prediction, count in enumerate(row):
            labels += [label] * count
            predictions += [prediction] * count
    rows = [(row[label], sum(row)) for label, row in enumerate(confusion)]
    return {
        "confusion": confusion,
        "balanced_accuracy": float(balanced_accuracy_score(labels, predictions)),
        "interval": interval(rows),
    }


def coverage(recalls, images, rounds=4000):
    """How often the interval holds the true balanced accuracy."""
    rng = np.random.default_rng(0)
    drawn = rng.binomial(images, recalls, (rounds, len(images)))
    held = 0
    for right in drawn:
        wilson = [proportion_confint(r, n, 0.05, "wilson") for r, n in zip(right, images)]
        low, high = square_and_add(right / np.array(images), wilson)
        held += low <= np.mean(recalls) <= high
    return held / rounds


if __name__ == "__main__":
    OUT.write_text("[\n" + ",\n".join(json.dumps(case(c)) for c in CONFUSIONS) + "\n]\n")
    for recalls, images in [
        ([0.9, 0.6], [40, 8]),
        ([0.99, 0.5], [200, 40]),
        ([0.95, 0.9, 0.7], [30, 20, 10]),
        ([0.8] * 10, [30] * 10),
        ([0.98] * 5, [12] * 5),
    ]:
        print(f"recalls {recalls}, images {images}: holds in {coverage(recalls, images):.1%}")
