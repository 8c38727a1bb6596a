"""Multinomial logistic regression by scikit-learn, for crates/eyespot-train/tests/heads.rs.

Features are standardised, the penalty is L2 with strength C, classes and rows may weigh differently. A cross-validation over
given folds standardises in each fold anew; its log loss is scikit-learn's.

Run by hand with the versions of requirements.txt:  python scripts/reference/heads.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

OUT = Path(__file__).parents[2] / "crates" / "eyespot-train" / "tests" / "data" / "heads.json"


def features(rows, length, classes, seed):
    """Overlapping classes, columns of unlike scale and offset, one constant column."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, rows - classes)])
    labels = np.where(rng.random(rows) < 0.3, 0, labels)
    labels[:classes] = np.arange(classes)
    centres = rng.normal(size=(classes, length))
    x = centres[labels] + 1.5 * rng.normal(size=(rows, length))
    x = x * 10.0 ** rng.integers(-2, 3, length) + rng.normal(size=length) * 5
    x[:, length // 2] = 7.25
    return np.float32(np.round(x, 3)), labels


def fit(x, labels, c, learn, balanced):
    scaler = StandardScaler().fit(x.astype(np.float64))
    model = LogisticRegression(
        C=c, tol=1e-10, max_iter=100_000, class_weight="balanced" if balanced else None
    )
    model.fit(scaler.transform(x.astype(np.float64)), labels, sample_weight=learn)
    return scaler, model


def case(rows, length, classes, c, seed, weighted=False, balanced=False):
    x, labels = features(rows, length, classes, seed)
    learn = np.round(np.random.default_rng(seed + 1).uniform(0.25, 2, rows), 2) if weighted else None
    scaler, model = fit(x, labels, c, learn, balanced)
    probabilities = model.predict_proba(scaler.transform(x.astype(np.float64)))
    folds = np.arange(rows) % 4
    folded = np.zeros((rows, classes))
    for fold in range(4):
        held = folds == fold
        scaler, model = fit(x[~held], labels[~held], c, None if learn is None else learn[~held], False)
        assert len(model.classes_) == classes
        folded[held] = model.predict_proba(scaler.transform(x[held].astype(np.float64)))
    return {
        "length": length,
        "classes": classes,
        "c": c,
        "balanced": balanced,
        "inputs": [float(v) for v in x.ravel()],
        "labels": labels.tolist(),
        "learn": None if learn is None else learn.tolist(),
        "probabilities": [round(float(p), 7) for p in probabilities.ravel()],
        "fold_log_loss": float(log_loss(labels, folded, labels=np.arange(classes))),
    }


if __name__ == "__main__":
    cases = [
        case(48, 5, 3, 0.1, 0),
        case(48, 5, 3, 10.0, 1),
        case(40, 6, 2, 0.01, 2),
        case(40, 6, 2, 1.0, 3),
        case(40, 24, 4, 0.05, 4),
        case(30, 40, 2, 0.3, 5),
        case(60, 7, 5, 1.0, 6, weighted=True),
        case(60, 7, 3, 0.2, 7, balanced=True),
        case(44, 4, 2, 0.5, 8, balanced=True),
    ]
    OUT.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
