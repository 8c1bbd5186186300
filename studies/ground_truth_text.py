"""What docs/ground-truth.md says around its tables."""

HEAD = """# Ground truth

Does relevance lie where the truth is known to be? One source is planted through MNE's forward model into
simulated EEG (27 electrodes, 2 s at 200 Hz), and decides the class. Three small networks learn it from
600 windows of one head: a LaBraM (2 layers; GroupNorm over all electrodes), an EEGNet (convolutions,
pooling), and a patch transformer with LayerNorm only. A network counts when it is right in 80 % of 160
new windows and at most in 65 % once the source is taken out of them. Of the new windows that it gets
right 8 of each class are explained (the predicted class against the other). Everything is made by `python
studies/ground_truth.py`; the truth was fixed before any network was trained:

* *space*: electrodes on which the source's lead field is at least half its largest;
* *time*: 50 ms bins in which the source acts for at least half of the bin (scenes whose source acts for a
  while, windows in which it is there);
* *band*: the source's band, against all other bands and the rest.

Three readings, never mixed: windows in which the source is *there*, and windows of the other class, in
which it is *absent* and its absence decides; and *contrast*, where the source is there in both classes
and how it is decides.

Each cell is relevance mass accuracy (the part of |relevance|, summed within an electrode, bin or band
first, that lies inside the truth) with half of its 95 % interval over networks (one a seed, n of them; no
interval where there is one), and in brackets rank accuracy (Arras et al. 2022, eq. 1 and 2).

Methods: `difference` and *expected gradients* (8 steps) hold each window against the same 4 windows that
the network calls otherwise, drawn at random, one set a network; *difference, any class* against 4 windows
of any class. The *exchange of electrodes* puts each whole electrode of those 4 windows in the place of
the window's own, and takes the mean fall of the explained number: it knows no time and no band, and is
the bar to measure against in space. LRP composites, gradient x input, integrated gradients (24 steps) and
occlusion (zeros for 0.25 s of an electrode) explain against zero. *random* is a random multiplier times
the signal, *random difference* a random multiplier times the difference: they follow amplitude, and are a
stricter chance than *even*, the truth's part of all units. *passes* are forward passes for one window, a
pass back counted as one; those of the references are made once for all windows.

Three candidates use the same references more sharply, and are no longer exact for the window: *less same
class* takes away the difference to 4 windows of the same class, and then sums to how far the classes are
apart (of a linear network nothing of the window itself is left); *steady electrodes* and *unlike same
class* scale each electrode by ``r^2 / (r^2 + noise)``, the noise that of its relevance r over the
references, or its mean square against 4 windows of the same class. Scaling electrodes raises mass by
itself: below, *What was tried*, has the control.

Scenes: *mu*: mu over both hand areas, weaker on one side; *alpha*: occipital alpha, strong or weak;
*erp*: a slow deflection over the left hand area, or none; *blink*: a blink, or none; *saccade*: to the
left or to the right; *heart*: R peaks that are seen on the head, or are not; *theta*: theta below Fz, or
none; *jaw*: a burst of both temporal muscles, or none; *drift*: one electrode drifts, or none; *p300*: a
parietal deflection at any time, or none; *suppressor*: *erp*, and in both classes a second source below
Pz, of any size and sign, at the same time; *half*: a saccade that begins and ends within one half of the
window, to the left or to the right.

Networks that count, how often they are right, and in brackets how often without the source:
"""

SPACE = """Space, mass (rank); each cell of scene, network and windows counts the same. *95 %* is half of the
interval of the mean over other networks of the same cells (t, variance within cells, pooled); the lowest rank
is that of one cell.
"""

TRIED = """On other seeds (1000 and on, none of them in the tables above); in space but for the last columns,
mass (rank). The number before a comma or after `difference` is that of references.

* *norms* and *softmax as products* are the other exact secants: ``y = c (1/sd)`` in the place of
  ``c = sd y``, ``y = e (1/s)`` in the place of the logarithmic mean of probabilities.
* *less ... of the same class* takes away what a window has against its own class. Its own time goes too.
* *by steadiness* and *where unlike* scale whole electrodes by ``r^2 / (r^2 + noise)``. The control says what
  to think of that: *sharpened without references* has the mean square over electrodes in the place of the
  noise. It knows nothing of the windows, leaves the order of electrodes as it is, and raises mass most of
  all. So a scaling has to be judged by rank, and mass compares maps of one kind.
* *multiplier of attnlrp times the difference*, *attnlrp less that of 4 references* and the *mean of* both
  kinds of maps bring back what LRP against zero misses.
"""

FOOT = """
## What limits this

* A mass accuracy of 1 is not to be expected: background that a network subtracts gets relevance too, and
  fields reach further than half of their largest.
* A network need not read all of the truth. Where two electrodes say the same, it may read one; no map of
  it has both then. Ranks below 0.8 are listed with that of the exchange of electrodes, which shows it.
* In time the truth is where the source of the *explained* window acts. A difference has the reference's
  source too, where that one acts: a saccade at another time counts against it here.
* Simulated heads, small networks, one recipe; other networks may differ.
* The amplitudes of *jaw* and *p300*, those of *erp* and *heart*, and the training of the networks were
  settled on seed 1000 and earlier ones that are not in the tables. What the methods are was settled
  before seeds 0 to 19 were run."""
