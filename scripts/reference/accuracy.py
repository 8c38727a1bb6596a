"""The 95 % interval of an accuracy, for crates/eyespot-train/tests/numbers.rs: statsmodels' Wilson interval.

The script also counts how often the interval holds the true accuracy.

Run by hand with the versions of requirements.txt:  python scripts/reference/accuracy.py
"""

import json
from pathlib import Path

import numpy as np
from statsmodels.stats.proportion import proportion_confint

OUT = Path(__file__).parents[2] / "crates" / "eyespot-train" / "tests" / "data" / "accuracy_intervals.json"

CASES = [
    (0, 1), (1, 1), (1, 2), (0, 5), (5, 5), (3, 7), (9, 10), (10, 10), (17, 20), (29, 30),
    (50, 100), (143, 153), (268, 300), (735, 1000), (999, 1000), (5, 10000), (76543, 100000),
]  # fmt: skip


def case(right, images):
    low, high = proportion_confint(right, images, 0.05, "wilson")
    return {"right": right, "images": images, "interval": [float(low), float(high)]}


def coverage(accuracy, images, rounds=20000):
    rights = np.random.default_rng(0).binomial(images, accuracy, rounds)
    low, high = proportion_confint(rights, images, 0.05, "wilson")
    return float(np.mean((low <= accuracy) & (accuracy <= high)))


if __name__ == "__main__":
    OUT.write_text("[\n" + ",\n".join(json.dumps(case(*c)) for c in CASES) + "\n]\n")
    for accuracy in [0.5, 0.7, 0.9, 0.98]:
        for images in [10, 30, 100, 1000]:
            print(f"accuracy {accuracy}, {images} images: holds in {coverage(accuracy, images):.1%}")
