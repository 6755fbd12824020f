"""The pages of Groundswell inside Airflow: Labelling and Throughput.

One FastAPI app that Airflow's api-server mounts (:mod:`groundswell.ui.app`), behind Airflow's own sign-in
(:mod:`groundswell.ui.security`). Pages are rendered here; a small script of our own loads what takes time,
sorts, and refreshes (:mod:`groundswell.ui.shell`). Nothing is fetched from elsewhere.
"""

from __future__ import annotations
