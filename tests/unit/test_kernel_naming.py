"""Long names of kernels are cut, stay apart, and lead back to the kernel."""

from rivulet.kernels.naming import LINE, full_name, short_name

LONG = "fused_" + "_".join(f"conv2d{n}_add{n}_relu{n}" for n in range(40))


def test_a_name_that_fits_stays_as_it_is():
    assert short_name("fused_conv2d9_add7_relu4") == "fused_conv2d9_add7_relu4"
    assert short_name("x" * LINE) == "x" * LINE


def test_a_long_name_is_cut_to_the_limit_and_keeps_its_beginning():
    assert len(LONG) > 600
    for limit in (20, LINE, 255):
        assert len(short_name(LONG, limit)) == limit
        assert LONG.startswith(short_name(LONG, limit).partition("~")[0])


def test_long_names_that_differ_in_their_last_letter_stay_apart():
    names = [f"{LONG}{n}" for n in range(500)]
    assert len({short_name(name) for name in names}) == len(names)


def test_a_short_name_leads_back_to_the_kernel():
    names = [f"{LONG}1", f"{LONG}2", "take11"]
    for name in names:
        assert full_name(short_name(name), names) == name
        assert full_name(name, names) == name
    assert full_name("take12", names) is None
