"""Developer tools: set-up, the local stack, the demo. Nothing here is part of the product."""
