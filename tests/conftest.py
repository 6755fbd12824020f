from __future__ import annotations

import os
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]

# Airflow reads these when it is first imported: a home of the tests' own, and this checkout's DAGs
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="groundswell-airflow-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(CHECKOUT / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(CHECKOUT / "plugins")
os.environ["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = "True"
