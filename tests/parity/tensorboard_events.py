"""TensorBoard's own reader and writer beside ours.

  tensorboard_events.py                writes fixtures/tensorboard.json: scalars, and
                                       the file that TensorBoard's record writer makes
  tensorboard_events.py read FOLDER    reads a run's tensorboard/ with TensorBoard's
                                       EventAccumulator and prints what it finds; fails
                                       when there is nothing
"""

import io
import json
import pathlib
import sys

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

FIXTURE = pathlib.Path(__file__).parent / "fixtures" / "tensorboard.json"
SCALARS = [
    [1795252232.136087, 1, "train/loss", 0.25],
    [1795252233.5, 200, "train/loss", -1.5e-3],
    [1795252233.5, 70000, "dice/hc18/gt-box", 0.948],
    [0.0, 0, "x" * 200, 1.0],
]


def write_fixture():
    out = io.BytesIO()
    writer = RecordWriter(out)
    first = event_pb2.Event(wall_time=SCALARS[0][0], file_version="brain.Event:2")
    writer.write(first.SerializeToString())
    for time, step, tag, value in SCALARS:
        summary = summary_pb2.Summary(
            value=[summary_pb2.Summary.Value(tag=tag, simple_value=value)])
        event = event_pb2.Event(wall_time=time, step=step, summary=summary)
        writer.write(event.SerializeToString())
    writer.flush()
    FIXTURE.write_text(json.dumps({"scalars": SCALARS, "file": out.getvalue().hex()}) + "\n")


def read(folder):
    found = 0
    for path in sorted(pathlib.Path(folder).rglob("*tfevents*")):
        events = event_accumulator.EventAccumulator(str(path), size_guidance={"scalars": 0})
        events.Reload()
        for tag in events.Tags()["scalars"]:
            scalars = events.Scalars(tag)
            found += len(scalars)
            print(f"{path.parent.name}: {tag}: {len(scalars)} values, last step "
                  f"{scalars[-1].step} = {scalars[-1].value:.6g}")
    print(f"{found} scalars")
    sys.exit(0 if found else "no scalars found")


if len(sys.argv) == 3 and sys.argv[1] == "read":
    read(sys.argv[2])
else:
    write_fixture()
