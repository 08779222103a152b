"""Writes fixtures/statistics.json: scipy's t quantiles and intervals.

    python tests/parity/make_statistics_fixture.py   (numpy, scipy)
"""

import json
import pathlib

import numpy as np
import scipy
from scipy import stats

PROBABILITIES = [1e-6, 0.005, 0.025, 0.3, 0.5, 0.9, 0.975, 0.9995]
DEGREES = [1, 2, 3.5, 10, 14, 28, 100, 1e4]


def values_of(seed, count):
    """Numbers in [0, 1) with few digits, from a generator of integers."""
    state, values = seed, []
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        values.append((state >> 12) % 1000 / 1000)
    return values


class GivenIndices(np.random.Generator):
    """Hands out one prepared block of indices, so the resamples are known."""

    def __init__(self, indices):
        super().__init__(np.random.PCG64(0))
        self.indices = np.array(indices)

    def integers(self, low, high, size, **unused):
        assert low == 0 and tuple(size) == self.indices.shape
        return self.indices


def bootstrap_row(seed, count, num_resamples):
    values = values_of(seed, count)
    indices = [[int(v * 1000) % count for v in values_of(seed + 1 + r, count)]
               for r in range(num_resamples)]
    found = stats.bootstrap((np.array(values),), np.mean, method="percentile",
                            n_resamples=num_resamples, batch=num_resamples,
                            random_state=GivenIndices(indices))
    interval = found.confidence_interval
    return {"values": values, "indices": indices,
            "interval": [interval.low, interval.high]}


def student_row(seed, count, confidence):
    values = values_of(seed, count)
    interval = stats.t.interval(confidence, count - 1, np.mean(values),
                                stats.sem(values))
    return {"values": values, "confidence": confidence,
            "interval": [float(v) for v in interval]}


def main():
    fixture = {
        "peer": f"scipy {scipy.__version__}",
        "student_quantile": [[p, d, float(stats.t.ppf(p, d))]
                             for p in PROBABILITIES for d in DEGREES],
        "student_interval": [student_row(7, 2, 0.95), student_row(8, 15, 0.95),
                             student_row(9, 29, 0.9)],
        "bootstrap": [bootstrap_row(11, 8, 40), bootstrap_row(12, 35, 60)],
    }
    path = pathlib.Path(__file__).parent / "fixtures" / "statistics.json"
    path.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
