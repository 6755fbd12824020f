"""The Throughput page: daily reports of worker metrics, filtered, compared and downloaded inside Airflow."""
