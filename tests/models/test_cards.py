"""Model cards load, are complete, and give valid contracts."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from onnxplain.engine.contract import InputContract
from onnxplain.engine.errors import InputError
from onnxplain.models import card, cards
from onnxplain.models.card import CARDS


def test_every_file_is_a_card() -> None:
    assert sorted(cards()) == sorted(p.stem for p in CARDS.glob("*.yaml"))
    assert "labram" in cards()


@pytest.mark.parametrize("name", sorted(cards()))
def test_a_card_is_whole(name: str) -> None:
    found = card(name)
    assert found.name.lower() == name
    assert found.url.startswith("https://")
    assert 2000 < found.year < 2100
    assert found.licence
    assert found.weights
    template = found.contract
    contract = template.fill(
        channels=template.channels,
        sfreq=template.sfreq,
        window=round(template.sfreq * template.seconds),
    )
    assert isinstance(contract, InputContract)
    assert contract.seconds == template.seconds


def test_labram() -> None:
    found = card(" LaBraM ")
    assert found is card("labram")
    assert found.contract.sfreq == 200
    assert found.contract.fixed["scale"] == 0.01
    assert any("T3" in trap and "T7" in trap for trap in found.traps)


def test_an_unknown_card_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"known: BENDR, BIOT, .*LaBraM"):
        card("labrador")


def test_a_broken_card_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.yaml").write_text("name: Odd\nyear: soon\n")
    monkeypatch.setattr(import_module("onnxplain.models.card"), "CARDS", tmp_path)
    cards.cache_clear()
    try:
        with pytest.raises(InputError, match=r"odd\.yaml: not a valid model card") as caught:
            cards()
        assert "\n" not in str(caught.value)
    finally:
        cards.cache_clear()
