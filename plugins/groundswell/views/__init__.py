"""Where runs stand, for people: a small overview of each, and an index of its record for looking closer."""

from __future__ import annotations
