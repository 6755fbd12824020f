"""Where the reports of a day come from and go to: the sources on AWS, the steps of the DAG."""
