"""What tests/bench/report.py makes of samples."""

import json
import pathlib
import subprocess
import sys
import unittest

REPORT = pathlib.Path(__file__).with_name("report.py")


def sample(series, values, **others):
    return {"series": series, "unit": "s", "values": values, "ranks": 2, **others}


def report(samples, *arguments):
    done = subprocess.run([sys.executable, REPORT, *arguments], text=True, capture_output=True,
                          input="\n".join(json.dumps(s) for s in samples), check=False)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


def lanes(one, **others):
    return [sample("step/unet/exact/2", one, **others),
            sample("step/unet/exact/4", [3.0]), sample("step/unet/exact/8", [4.0])]


def bandwidths(ours, ranks=2):
    sides = {"ours": ours, "ours_thread": ours, "mpi": 10.0, "gloo": 10.0}
    return [sample(f"all_reduce/{side}/{size}", [value], ranks=ranks)
            for side, value in sides.items() for size in ("64kB", "1MB", "64MB")]


class ReportTest(unittest.TestCase):
    def test_joins_samples_and_divides_medians(self):
        samples = lanes([1.0, 2.0]) + [sample("step/unet/exact/2", [90.0])]
        done, lines = report(samples, "lanes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line["ratio"] for line in lines], [1.5, 2.0])
        self.assertEqual(lines[0]["peer_range"], [1.0, 90.0])
        self.assertEqual({line["target"] for line in lines}, {"reported"})

    def test_holds_ratios_to_targets_at_two_ranks_alone(self):
        def verdicts(*arguments):
            return [line["met"] for line in report(bandwidths(*arguments), "all_reduce")[1]]
        self.assertEqual(verdicts(9.6), [True, False, True, False, None, None, None])
        self.assertEqual(verdicts(10.0), [True, True, True, True, None, None, None])
        self.assertEqual(verdicts(9.6, 4), [None] * 7)

    def test_holds_counts_themselves_to_targets(self):
        samples = [sample(f"counts/unet/{side}/4/{key}", [value])
                   for side, values in (("fast", (0, 1)), ("exact", (5, 1)), ("c10d", (3, 1)))
                   for key, value in zip(("gradient_copies", "optimizer_calls"), values)]
        met = [line["met"] for line in report(samples, "counts")[1]]
        self.assertEqual(met, [True, None, True, None])
        samples[0]["values"] = [1]
        self.assertEqual(report(samples, "counts")[1][0]["met"], False)

    def test_ends_1_and_names_what_was_not_measured(self):
        done, lines = report(lanes([1.0])[:2], "lanes")
        self.assertEqual((done.returncode, len(lines)), (1, 1))
        self.assertIn("step/unet/exact/8", done.stderr)

    def test_refuses_models_of_different_size(self):
        done, lines = report(lanes([1.0], parameters=7), "lanes")
        self.assertEqual((done.returncode, lines), (1, []))
        self.assertIn("different models", done.stderr)


if __name__ == "__main__":
    unittest.main()
