"""Localisation measures on maps whose answer can be seen."""

from __future__ import annotations

import numpy as np
import pytest

import onnxplain as ox
from onnxplain.engine.evaluation.localisation import mass_accuracy, rank_accuracy

TRUTH = np.array([[True, True, False], [False, False, False]])


def test_by_hand():
    r = np.array([[[3.0, -1, 0], [4, 0, 0]], [[0, 0, 5], [0, -5, 0]]])
    np.testing.assert_allclose(mass_accuracy(r, TRUTH), [0.5, 0.0])
    np.testing.assert_allclose(rank_accuracy(r, TRUTH), [0.5, 0.0])
    np.testing.assert_allclose(rank_accuracy(np.array([[[1.0, -2, 0], [0.5, 0, 0]]]), TRUTH), [1.0])


def test_a_flat_map_is_at_chance():
    flat = np.ones((4, 2, 3))
    np.testing.assert_allclose(mass_accuracy(flat, TRUTH), 2 / 6)
    np.testing.assert_allclose(rank_accuracy(flat, TRUTH), 2 / 6)


def test_no_relevance_is_no_number():
    assert np.isnan(mass_accuracy(np.zeros((1, 2, 3)), TRUTH)).all()


@pytest.mark.parametrize("truth", [np.zeros((2, 3)), np.ones((3, 3))])
def test_a_truth_that_does_not_fit(truth):
    with pytest.raises(ox.InputError):
        mass_accuracy(np.ones((1, 2, 3)), truth)
