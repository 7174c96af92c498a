"""Four workers of joblib, whose work is carried under the scope that sent it.

They mostly sleep, so that two cores are free for them: a process that waits for a core is seen late.
"""

import time

from joblib import Parallel, delayed
from work import SECONDS, about, busy, turns

from workbench import carry, scope


def in_load():
    time.sleep(about(0.200))


def in_compute():
    busy(about(0.025))


def job(_):
    for _ in turns(SECONDS / 3):
        with scope("load"):
            in_load()
        with scope("compute"):
            in_compute()


if __name__ == "__main__":
    with Parallel(n_jobs=4, backend="loky") as parallel:
        parallel(delayed(time.sleep)(0.3) for _ in range(4))  # until all of them are sampled
        with scope("send"):
            parallel(delayed(carry(job))(i) for i in range(8))
