"""The demo: run the iris example on the local stack, show how it goes and what came out."""
