"""What options say of texts that they cannot take, before any work begins."""

from __future__ import annotations

import pytest

from onnxplain.cli import values


def test_lags_are_two_numbers_in_order() -> None:
    assert values.lags("-0.2,0.8") == (-0.2, 0.8)
    assert values.lags(" 0 , 1 ") == (0.0, 1.0)
    for text in ("0.8,-0.2", "0.5", "a,b", "0,inf", "0,0", "", "0,1,2"):
        with pytest.raises(ValueError, match="FROM,TO in seconds"):
            values.lags(text)
