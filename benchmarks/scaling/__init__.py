"""Parts of the benchmark of large matrices: plans, models and the start-up of jobs."""
