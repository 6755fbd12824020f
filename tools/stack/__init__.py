"""The local stack: the local cloud and four Airflow processes, started, supervised and stopped."""
