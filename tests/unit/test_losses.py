"""Who is at fault when a benchmark loses its device?"""

import pytest

from rivulet.benchmark.repeat import _Losses, _Lost
from rivulet.errors import UserError
from rivulet.hardware.place import Connection

CONNECTION = Connection("host:9190", "board", retries=2)


def test_a_method_is_at_fault_that_ends_two_sessions_in_a_row():
    losses = _Losses(CONNECTION)
    assert losses.happened(_Lost("ansor", "gone")) == ""
    assert losses.happened(_Lost("ansor", "gone")) == "ansor"
    assert losses.happened(_Lost("droplet", "gone")) == ""
    assert losses.happened(_Lost("", "gone")) == ""
    losses.over()
    assert losses.happened(_Lost("droplet", "gone")) == ""


def test_too_many_losses_end_the_job():
    losses = _Losses(CONNECTION)
    assert [losses.happened(_Lost("", "gone")) for _ in range(2)] == ["", ""]
    with pytest.raises(UserError, match="no device under the key 'board' at the tracker host:9190"):
        losses.happened(_Lost("", "gone"))
