"""Datasets in and labelled data out: CSV, JSON Lines, Ground Truth manifests, train and test splits."""

from __future__ import annotations
