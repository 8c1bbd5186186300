"""The locked half of the cases. Not to be read by who works on the gate."""

from __future__ import annotations

from case import control_cases, honest_cases, shortcut_cases
from locked import LOCKED

CASES = [
    *honest_cases(7000, """
        imagery        ATCNet           honest  0.8
        imagery-three  EEGNet           honest  1.0
        p300           Deep4Net         honest  1.4
        resting-alpha  ShallowFBCSPNet  honest  1.0
        workload       EEGConformer     honest  0.8
        sleep          BandPower        honest  0.6
        arousal        ShallowFBCSPNet  honest  0.7
        tones          BandPower        honest  1.5
        grip           EEGNet           honest  1.0
        approach       ShallowFBCSPNet  honest  1.0
        errors         PatchNet         honest  1.0
        readiness      EEGNet           honest  1.0
        flicker        PatchNet         honest  1.0
        grip           BandPower        weak    0.4
        p300           GRU              weak    0.9
        sleep          EEGNet           uneven  0.7
        errors         EEGConformer     uneven  1.0
    """),
    *shortcut_cases(7100, """
        gaze       strong  workload       GRU              chance  1.0
        neck       strong  imagery        EEGNet           chance  1.0
        swallow    strong  sleep          GRU              chance  1.0
        train      strong  grip           ShallowFBCSPNet  chance  1.0
        popping    strong  arousal        EEGConformer     chance  1.0
        drift      strong  readiness      GRU              chance  1.0
        ringing    strong  errors         EEGNet           chance  1.0
        coarse     strong  resting-alpha  BandPower        chance  1.0
        clipped    strong  imagery-three  ShallowFBCSPNet  chance  1.0
        site       strong  imagery        BandPower        chance  0.9
        fidgety    strong  flicker        BandPower        chance  0.9
        reference  strong  approach       ShallowFBCSPNet  chance  1.0
        bridged    strong  grip           ShallowFBCSPNet  chance  1.0
        jerk       strong  p300           EEGNet           chance  1.0
        smoothed   strong  tones          EEGConformer     chance  1.0
        gaze       weak    imagery        PatchNet         weak    1.0
        neck       weak    approach       ShallowFBCSPNet  chance  1.0
        swallow    weak    p300           EEGNet           weak    1.0
        train      weak    imagery-three  BandPower        chance  1.0
        popping    weak    errors         ATCNet           chance  1.0
        drift      weak    workload       EEGNet           chance  1.0
        ringing    weak    tones          PatchNet         chance  0.92
        coarse     weak    imagery        BandPower        chance  1.0
        clipped    weak    arousal        BandPower        chance  1.0
        site       weak    sleep          ShallowFBCSPNet  chance  0.9
        fidgety    weak    arousal        EEGNet           chance  0.9
        reference  weak    resting-alpha  BandPower        weak    1.0
        bridged    weak    workload       BandPower        chance  1.0
        jerk       weak    flicker        ShallowFBCSPNet  chance  1.0
        smoothed   weak    grip           BandPower        weak    1.0
    """, LOCKED),
    *control_cases(7200, """
        random    tones          Deep4Net
        constant  resting-alpha  EEGNet
        inverted  errors         ShallowFBCSPNet
        shuffled  approach       EEGNet
        random    arousal        BandPower
        inverted  arousal        ShallowFBCSPNet
    """),
]  # fmt: skip
