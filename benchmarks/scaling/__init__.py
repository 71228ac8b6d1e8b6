"""What Rivulet takes on, and at what cost before any measurement: models, and jobs' start-up."""
