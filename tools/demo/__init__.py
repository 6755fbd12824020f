"""The demo: run an example on the local stack, show how it goes and what came out."""
