# The images of docker-compose.yaml; see docs/deploy.md. By target:
#   airflow      Airflow's own image with what the DAGs and plugins need beside it
#   servers      the workforce server, from the hashed lock
#   localcloud   for trials: the same, with the AWS emulator and the training environment

# --- airflow --------------------------------------------------------------------------------------
FROM apache/airflow:3.3.2-python3.12 AS airflow

# The image brings Airflow, its providers, Celery and the database drivers in versions that were released
# together. They stay as they are: what is installed already constrains what is added, so the lock of the
# checkout (requirements.txt) is not used here. What the image has already is named without a version.
RUN pip freeze --exclude-editable | grep '==' > /tmp/image-versions.txt \
    && pip install --no-cache-dir --constraint /tmp/image-versions.txt \
        'apache-airflow-providers-amazon[aiobotocore]' \
        boto3 \
        apache-airflow-providers-slack \
        apache-airflow-providers-smtp \
        matplotlib \
        numpy \
        pandas \
        pyarrow \
        pydantic \
        PyYAML \
        'python-liquid==2.3.6' \
        scipy \
        xmltodict \
    && rm /tmp/image-versions.txt \
    && python -c 'import aiobotocore, boto3, liquid, matplotlib, numpy, pandas, pyarrow, pydantic, scipy, xmltodict, yaml'

# DAGs, plugins and batches are mounted by docker-compose.yaml; an image for Kubernetes carries them
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 include /opt/airflow/include
ENV PYTHONPATH=/opt/airflow:/opt/airflow/plugins

# --- servers --------------------------------------------------------------------------------------
FROM python:3.12-slim-bookworm AS servers

WORKDIR /opt/groundswell
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.txt

COPY workforce workforce
COPY include/crowds include/crowds
RUN useradd --system --uid 50000 --create-home groundswell
USER groundswell
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 8070
CMD ["python", "-m", "workforce", "serve", "--help"]

# --- localcloud -----------------------------------------------------------------------------------
FROM servers AS localcloud

USER root
COPY requirements-bootstrap.txt requirements-emulator.txt requirements-training.txt ./
COPY tools/__init__.py tools/environments.py tools/forward.py tools/
RUN python tools/environments.py --only .venv-emulator --only .venv-training \
    && rm -rf /root/.cache .venv-tools
COPY localcloud localcloud
RUN install --directory --owner=groundswell /var/lib/groundswell
USER groundswell
CMD ["python", "-m", "localcloud", "--port", "4566", "--state", "/var/lib/groundswell"]
