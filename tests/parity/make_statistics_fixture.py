"""Writes fixtures/statistics.json: intervals and tests as scipy and statsmodels
compute them.

    python tests/parity/make_statistics_fixture.py
"""

import json
import pathlib

import numpy as np
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests

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


def bootstrap_row(seed, count, num_resamples, method):
    values = values_of(seed, count)
    indices = [[int(v * 1000) % count for v in values_of(seed + 1 + r, count)]
               for r in range(num_resamples)]
    found = stats.bootstrap((np.array(values),), np.mean, method=method,
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


def differences_of(seed, count, step=1, zeros=0):
    """Around 0.1; `step` above 1 makes ties."""
    values = [round(v * 1000 / step) * step for v in values_of(seed, count)]
    return [0.0] * zeros + [(v - 400) / 1000 for v in values[zeros:]]


def wilcoxon_row(*arguments):
    differences = differences_of(*arguments)
    found = stats.wilcoxon(differences)
    return {"differences": differences, "statistic": float(found.statistic),
            "p": float(found.pvalue)}


def sign_flip_row(*arguments):
    differences = differences_of(*arguments)
    found = stats.permutation_test(
        (np.array(differences),), np.mean, permutation_type="samples",
        n_resamples=np.inf, vectorized=True)
    return {"differences": differences, "p": float(found.pvalue)}


def monte_carlo_row(seed, count, num_resamples):
    found = stats.permutation_test(
        (np.array(differences_of(seed, count)),), np.mean, rng=seed,
        permutation_type="samples", n_resamples=num_resamples, vectorized=True)
    return {"observed": float(found.statistic), "p": float(found.pvalue),
            "resamples": [float(v) for v in found.null_distribution]}


def paired_t_row(*arguments):
    differences = differences_of(*arguments)
    found = stats.ttest_1samp(differences, 0)
    return {"differences": differences, "statistic": float(found.statistic),
            "p": float(found.pvalue)}


def holm_row(p_values):
    return {"p": p_values,
            "adjusted": [float(v) for v in
                         multipletests(p_values, method="holm")[1]]}


def agreement_row(seed, count):
    """Bland and Altman's limits; their errors by equation 3 of the 1999 paper."""
    differences = differences_of(seed, count)
    bias, sd = np.mean(differences), np.std(differences, ddof=1)
    z, t = stats.norm.ppf(0.975), stats.t.ppf(0.975, count - 1)
    error = sd * np.sqrt(1 / count + z * z / (2 * (count - 1)))
    row = {"differences": differences}
    for name, value, half in (("bias", bias, t * sd / np.sqrt(count)),
                              ("lower", bias - z * sd, t * error),
                              ("upper", bias + z * sd, t * error)):
        row[name] = [float(v) for v in (value, value - half, value + half)]
    return row


def main():
    fixture = {
        "peer": f"scipy {scipy.__version__}, statsmodels {statsmodels.__version__}",
        "normal_quantile": [[p, float(stats.norm.ppf(p))]
                            for p in [1e-12, *PROBABILITIES]],
        "student_quantile": [[p, d, float(stats.t.ppf(p, d))]
                             for p in PROBABILITIES for d in DEGREES],
        "student_interval": [student_row(7, 2, 0.95), student_row(8, 15, 0.95),
                             student_row(9, 29, 0.9)],
        "bootstrap": [bootstrap_row(11, 8, 40, "percentile"),
                      bootstrap_row(12, 35, 60, "percentile")],
        "bca": [bootstrap_row(11, 8, 60, "BCa"), bootstrap_row(15, 12, 80, "BCa"),
                bootstrap_row(12, 35, 60, "BCa")],
        "wilcoxon": [wilcoxon_row(21, 2), wilcoxon_row(22, 8), wilcoxon_row(1, 25), wilcoxon_row(2, 50),
                     wilcoxon_row(23, 25), wilcoxon_row(24, 10, 100),
                     wilcoxon_row(25, 12, 1, 3), wilcoxon_row(26, 13, 50, 2),
                     wilcoxon_row(27, 30, 20), wilcoxon_row(28, 40, 1, 5),
                     wilcoxon_row(29, 93), wilcoxon_row(30, 93, 10, 4)],
        "sign_flip": [sign_flip_row(31, 2), sign_flip_row(32, 5),
                      sign_flip_row(33, 12), sign_flip_row(34, 10, 100, 2)],
        "monte_carlo": [monte_carlo_row(35, 40, 150), monte_carlo_row(36, 90, 199)],
        "paired_t": [paired_t_row(41, 2), paired_t_row(42, 15), paired_t_row(43, 93)],
        "holm": [holm_row([0.01]), holm_row([0.04, 0.01, 0.03, 0.2]),
                 holm_row([0.5, 0.5, 0.011, 0.0001, 0.9, 0.02]), holm_row([0.6, 0.7])],
        "agreement": [agreement_row(51, 12), agreement_row(52, 25)],
    }
    path = pathlib.Path(__file__).parent / "fixtures" / "statistics.json"
    path.write_text(json.dumps(fixture) + "\n")


if __name__ == "__main__":
    main()
