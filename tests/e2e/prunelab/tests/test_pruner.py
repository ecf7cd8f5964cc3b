from tracrcheck.testing import cases


@cases("reverse", "hist", ablations=["zero"])
def test_what_is_found_is_what_is_proved(case, discover):
    case.assert_exact(discover(case.task))


@cases("xproportion", lengths=(4, 4))
def test_what_is_found_at_full_length_is_faithful(case, discover):
    case.assert_faithful(discover(case.task))
