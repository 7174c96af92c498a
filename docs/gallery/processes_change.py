"""Tasks get the table as a list of records, or as an array."""

import joblib
import numpy as np
from processes import bootstrap, table

from workbench.bench import Case, Suite, axis

suite = Suite("processes", baseline={"table": "records"})


@suite.workload(table=axis("records", "array"))
def processes(**options):
    records = table(20_000, options["seed"])
    joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(i) for i in range(2))  # starts the workers: not timed

    def run():
        return bootstrap(records if options["table"] == "records" else np.array(records), 40)

    return Case(run=run, quality=lambda slopes: {"error": float(abs(slopes.mean() - 0.7))})
