"""Reports as self-contained HTML: one file, no script, no request."""
