"""Faults in a running Airflow: `kill -9` of its parts and of the local cloud, and tasks cleared by hand."""
