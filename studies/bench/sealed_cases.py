"""The sealed half of the cases. Not to be read by who works on the gate before its one run."""

from __future__ import annotations

from case import control_cases, honest_cases, shortcut_cases
from sealed import SEALED

CASES = [
    *honest_cases(9000, """
        imagery        DepthNet         honest  1.0
        imagery-three  EEGConformer     honest  1.2
        p300           ATCNet           honest  1.2
        resting-alpha  EEGNet           honest  1.0
        sleep          ATCNet           honest  0.7
        arousal        DepthNet         honest  1.0
        tones          EEGNet           honest  1.2
        grip           EEGConformer     honest  1.0
        approach       EEGConformer     honest  1.0
        errors         DepthNet         honest  1.0
        readiness      LSTM             honest  1.0
        flicker        DepthNet         honest  1.2
        lateral        EEGNet           honest  1.0
        flicker-three  PatchNet         honest  1.0
        spindles       BandPower        honest  1.0
        epilepsy       DepthNet         honest  1.0
        anaesthesia    BandPower        weak    0.5
        workload       BandPower        weak    0.5
        n400           EEGNet           uneven  1.0
        spindles       ShallowFBCSPNet  uneven  1.0
    """),
    *shortcut_cases(9100, """
        flutter       strong  workload       EEGNet           chance  1.0
        tremor        strong  grip           ATCNet           chance  1.0
        implant       strong  epilepsy       PatchNet         chance  1.0
        scanner       strong  spindles       ShallowFBCSPNet  chance  1.0
        phone         strong  flicker-three  BandPower        chance  1.0
        lag           strong  imagery        EEGNet           chance  1.0
        cutoff        strong  anaesthesia    BandPower        chance  1.0
        interpolated  strong  grip           ShallowFBCSPNet  chance  1.0
        baseline      strong  n400           PatchNet         chance  1.0
        padded        strong  imagery-three  GRU              chance  1.0
        flash         strong  spindles       DepthNet         chance  1.0
        offcut        strong  errors         DepthNet         chance  1.0
        drowsy        strong  approach       BandPower        chance  0.9
        medicated     strong  resting-alpha  EEGNet           chance  0.9
        polarity      strong  p300           ShallowFBCSPNet  chance  1.0
        flutter       weak    imagery        BandPower        weak    1.0
        tremor        weak    resting-alpha  EEGNet           chance  1.0
        implant       weak    tones          Deep4Net         chance  1.0
        scanner       weak    arousal        BandPower        chance  1.0
        phone         weak    epilepsy       ShallowFBCSPNet  chance  1.0
        lag           weak    approach       ShallowFBCSPNet  weak    1.0
        cutoff        weak    resting-alpha  DepthNet         chance  0.92
        interpolated  weak    lateral        BandPower        chance  1.0
        baseline      weak    readiness      PatchNet         chance  1.0
        padded        weak    sleep          LSTM             chance  1.0
        flash         weak    lateral        PatchNet         weak    1.0
        offcut        weak    workload       PatchNet         chance  1.0
        drowsy        weak    grip           ShallowFBCSPNet  chance  0.9
        medicated     weak    epilepsy       BandPower        chance  0.9
        polarity      weak    anaesthesia    ShallowFBCSPNet  chance  1.0
    """, SEALED),
    *control_cases(9200, """
        random    imagery      LSTM
        constant  epilepsy     DepthNet
        inverted  tones        BandPower
        shuffled  n400         EEGNet
        random    anaesthesia  ShallowFBCSPNet
        inverted  anaesthesia  BandPower
    """),
]  # fmt: skip
