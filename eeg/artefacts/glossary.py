"""Three numbers about the eyes, which are not the same: their names and what each says, in one place.

The demonstration, the report, the gate and docs/eeg.md say them in these words; a test holds the last.
"""

from __future__ import annotations

EYE_SET = "frontal-ocular electrodes"
EYE_PART = "the eyes' part"
EYE_COMPONENTS = "eye components"

# What each number is, in the order from the roughest to the finest.
EYES: dict[str, str] = {
    EYE_SET: (
        "the share of relevance on the electrodes nearest the eyes, whatever they carry: frontal brain "
        "activity counts, and what the eyes put on other electrodes does not"
    ),
    EYE_PART: (
        "how much of the relevance falls on what a regression on EOG channels (without them on the mean of "
        "Fp1 and Fp2, and on F7 less F8, below 7.5 Hz) finds on every electrode: a proxy, with some slow "
        "frontal brain activity in it; the gate exchanges this part"
    ),
    EYE_COMPONENTS: (
        "the share of relevance on independent components that ICLabel calls eye (--components): it counts "
        "sizes, so that it grows with the number of components, and mixed components go to one kind"
    ),
}


def glossary() -> list[tuple[str, str]]:
    """Name and meaning of each."""
    return list(EYES.items())
