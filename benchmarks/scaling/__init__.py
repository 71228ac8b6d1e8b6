"""What a large matrix takes before anything is measured: plans, models, and start-up of jobs."""
