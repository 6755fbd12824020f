"""Airflow and AWS: hooks, operators, sensors and triggers, shaped like the amazon provider."""
