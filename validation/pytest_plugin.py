"""For pytest: ``onnxplain_gate``, the gate under the policy that ``--onnxplain-policy`` names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .gate import Gate


def pytest_addoption(parser: Any) -> None:
    """Add the option."""
    group = parser.getgroup("onnxplain")
    group.addoption(
        "--onnxplain-policy", metavar="FILE", default=None, help="The policy of the onnxplain_gate fixture."
    )
    parser.addini("onnxplain_policy", "The policy of the onnxplain_gate fixture.", default=None)


@pytest.fixture(scope="session")
def onnxplain_gate(request: pytest.FixtureRequest) -> Gate:
    """The gate; ``onnxplain_gate.run(model, data).exit_code == 0`` is what a test asserts.

    Raises
    ------
    PolicyError
        The policy cannot be used.
    """
    from .gate import Gate

    config = request.config
    given = config.getoption("--onnxplain-policy") or config.getini("onnxplain_policy")
    if given is not None:
        given = config.rootpath / str(given)
    return Gate(given)
