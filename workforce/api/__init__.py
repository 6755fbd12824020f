"""The wire: AWS JSON requests in, signatures checked, shapes validated, errors as AWS clients parse them."""

from __future__ import annotations
