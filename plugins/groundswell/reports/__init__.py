"""What happened in a day of labelling: sources become tables, tables become reports; plain values."""
