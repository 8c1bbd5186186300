"""Electrodes whose sign is turned round: a plug of them, found by their neighbours, and exchanged."""

from __future__ import annotations

import numpy as np
import pytest

from onnxplain.eeg.electrodes.positions import Electrodes
from onnxplain.eeg.exchange.polarity import PolarityPart, polarity_part

CAPS = {
    "19": (
        *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8"),
        *("P7", "P3", "Pz", "P4", "P8", "O1", "O2"),
    ),
    "31": (
        *(
            "Fp1",
            "Fp2",
            "F7",
            "F3",
            "Fz",
            "F4",
            "F8",
            "FC5",
            "FC1",
            "FC2",
            "FC6",
            "T7",
            "C3",
            "Cz",
            "C4",
            "T8",
        ),
        *("CP5", "CP1", "CP2", "CP6", "P7", "P3", "Pz", "P4", "P8", "PO9", "PO10", "O1", "Oz", "O2", "TP9"),
    ),
}


def made(cap: Electrodes, seed: int, n: int = 8, average: bool = False) -> np.ndarray:
    """Sources all over the head, blurred by a skull, and some noise of each electrode."""
    rng = np.random.default_rng(seed)
    at = np.array([cap.positions[name] for name in cap])
    where = rng.normal(size=(40, 3))
    where = np.array([0, 0, 0.04]) + 0.05 * where / np.linalg.norm(where, axis=1)[:, None]
    field = np.exp(-0.5 * (np.linalg.norm(at[:, None] - where[None], axis=-1) / 0.045) ** 2)
    x = np.einsum("cs,nst->nct", field, rng.normal(0, 5, (n, 40, 300)))
    x += rng.normal(0, 1, x.shape)
    return x - x.mean(1, keepdims=True) if average else x


def part_of(cap: Electrodes) -> PolarityPart:
    found = polarity_part(cap)
    assert found is not None
    return found


@pytest.mark.parametrize("average", [False, True], ids=["as recorded", "average"])
@pytest.mark.parametrize("name", CAPS)
@pytest.mark.parametrize(
    "turned", [("P4", "P8", "O1", "O2"), ("F7", "T7", "F3", "C3"), ("P3", "Pz", "P4", "O1")]
)
def test_a_plug_is_found(name: str, turned: tuple[str, ...], average: bool) -> None:
    cap = Electrodes(CAPS[name])
    part, signs = part_of(cap), np.where(np.isin(list(cap), turned), -1.0, 1.0)
    x, z = made(cap, 0, average=average), made(cap, 1, average=average) * signs[:, None]
    right = (part.size(z) > 0) == (signs < 0)
    assert right.mean() > 0.9
    assert (np.abs(part.swap(x, z) - x * signs[:, None]) < 1e-9).mean() > 0.9
    assert (np.abs(part.swap(z, x) - z * signs[:, None]) < 1e-9).mean() > 0.9


@pytest.mark.parametrize("average", [False, True], ids=["as recorded", "average"])
@pytest.mark.parametrize("name", CAPS)
def test_none_is_found_where_none_is(name: str, average: bool) -> None:
    cap = Electrodes(CAPS[name])
    x = made(cap, 2, 40, average=average)
    assert part_of(cap).size(x).any(1).mean() <= 0.05


def test_all_of_them_are_none() -> None:
    cap = Electrodes(CAPS["19"])
    assert not part_of(cap).size(-made(cap, 3)).any()


def test_without_places_there_is_no_part() -> None:
    assert polarity_part(Electrodes([f"X{i}" for i in range(19)])) is None
