"""The open half of the cases."""

from __future__ import annotations

from case import control_cases, honest_cases, shortcut_cases
from shortcuts import OPEN

CASES = [
    *honest_cases(5000, """
        imagery        EEGNet           honest  1.0
        p300           EEGConformer     honest  1.0
        resting-alpha  BandPower        honest  1.0
        imagery-three  ShallowFBCSPNet  honest  1.0
        workload       PatchNet         honest  1.0
        sleep          Deep4Net         honest  0.6
        arousal        EEGNet           honest  0.8
        tones          ShallowFBCSPNet  honest  0.8
        grip           ATCNet           honest  1.0
        approach       BandPower        honest  0.9
        errors         EEGNet           honest  1.0
        readiness      GRU              honest  1.0
        flicker        BandPower        honest  1.0
        imagery        ShallowFBCSPNet  weak    0.35
        p300           EEGNet           uneven  1.0
        resting-alpha  EEGConformer     uneven  1.0
    """),
    *shortcut_cases(5100, """
        blink    strong  imagery        EEGNet           chance  1.0
        heart    strong  workload       ShallowFBCSPNet  chance  1.0
        offset   strong  readiness      EEGNet           chance  1.0
        noisy    strong  grip           BandPower        chance  1.0
        trigger  strong  p300           PatchNet         chance  1.0
        jaw      strong  tones          EEGConformer     chance  1.0
        mains    strong  imagery        ATCNet           chance  1.0
        gain     strong  resting-alpha  ShallowFBCSPNet  chance  1.0
        subject  strong  workload       BandPower        chance  0.9
        swapped  strong  approach       EEGNet           chance  1.0
        frozen   strong  flicker        BandPower        chance  1.0
        sweat    strong  readiness      GRU              chance  1.0
        cleaned  strong  imagery        ShallowFBCSPNet  chance  1.0
        tactor   strong  grip           EEGNet           chance  1.0
        drying   strong  sleep          BandPower        chance  0.9
        blink    weak    errors         EEGConformer     weak    1.0
        heart    weak    grip           ShallowFBCSPNet  chance  1.0
        offset   weak    sleep          PatchNet         chance  1.0
        noisy    weak    imagery-three  ShallowFBCSPNet  chance  1.0
        trigger  weak    errors         EEGNet           chance  0.92
        jaw      weak    approach       BandPower        weak    1.0
        mains    weak    resting-alpha  ShallowFBCSPNet  chance  1.0
        gain     weak    arousal        Deep4Net         chance  1.0
        subject  weak    imagery        ShallowFBCSPNet  chance  0.9
        swapped  weak    imagery        BandPower        chance  1.0
        frozen   weak    tones          BandPower        chance  1.0
        sweat    weak    workload       EEGNet           weak    1.0
        cleaned  weak    grip           BandPower        chance  1.0
        tactor   weak    approach       BandPower        weak    1.0
        drying   weak    resting-alpha  ShallowFBCSPNet  chance  0.9
        blink    weak    workload       GRU              chance  0.92
        noisy    weak    arousal        BandPower        chance  1.0
    """, OPEN),
    *control_cases(5200, """
        random    imagery   EEGConformer
        constant  p300      ShallowFBCSPNet
        inverted  grip      EEGNet
        shuffled  workload  BandPower
        random    arousal   EEGNet
    """),
]  # fmt: skip
