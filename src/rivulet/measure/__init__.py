"""One measuring bench for every strategy: build, run, check, and judge by statistics."""
