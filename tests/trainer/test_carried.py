"""The parallel Jacobian under a recording: its columns stand where the work was sent from, bits unchanged."""

from __future__ import annotations

import joblib
import pytest

from tests.trainer.trainer_reference import reference_data, reference_network
from workbench import record
from workbench.eventlog import read_recording
from workbench.trainer import LevenbergMarquardt
from workbench.trainer.jacobians.column_batches import batches


def fitted(place):
    x, y = reference_data()
    model = reference_network()
    history = model.fit(x, y, optimizer=LevenbergMarquardt(jacobian="columns", **place), epochs=2, seed=1)
    return model.parameters.tobytes(), history.to_dict()["train_mse"]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_columns_stand_under_the_jacobian_that_sent_them(tmp_path, backend):
    """Workers that are older than the recording put their columns under fit › epoch › compute jacobian.

    Each batch is there once in each epoch, in a worker, and the fit has the same bits with and without recording.
    """
    place = {"n_jobs": 2, "backend": backend}
    joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(abs)(i) for i in range(4))
    plain = fitted(place)
    with record(tmp_path / "r"):
        recorded = fitted(place)
    again = fitted(place)
    assert plain == recorded == again
    profile = read_recording(tmp_path / "r").check()
    sender = "fit/epoch/compute jacobian"
    senders, columns = [], []
    for number, track in enumerate(profile.tracks):
        if track.spans is None:
            continue
        for i, stack in enumerate(track.spans.stack.tolist()):
            names = [profile.frames[frame].name for frame in profile.stacks.path(stack)]
            path = "/".join(names)
            interval = int(track.spans.start_ns[i]), int(track.spans.end_ns[i])
            if track.spans.propagated is not None and track.spans.propagated[i]:
                assert sender.startswith(path)
            elif path == sender:
                senders.append(interval)
            elif names[-1] == "columns":
                assert path == f"{sender}/columns"
                columns.append((number, *interval))
    assert len(senders) == 2
    assert len(columns) == 2 * len(batches(681, 2))
    assert len({number for number, _, _ in columns}) >= 1
    for _, start, end in columns:
        assert sum(first <= start <= end <= last for first, last in senders) == 1
