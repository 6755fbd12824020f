"""Finding what runs left behind at the workforce, in ledgers and in SageMaker, and putting it right."""
