"""How an artefact was made, written beside it, so that what is stale can be told from what is not.

Snakemake keeps such knowledge in its own folder, which does not travel with copied results.
"""

from rivulet.provenance.record import Record, digest_of, read_record, write_record

__all__ = ["Record", "digest_of", "read_record", "write_record"]
