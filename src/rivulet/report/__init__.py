"""The HTML report: what was measured, what may be claimed from it, and where it stands.

Nothing is imported here: jobs that write a page of schedules need no library of figures.
"""
