"""The jobs of the workflow, one module for each stage: what it reads, what it makes, and how."""
