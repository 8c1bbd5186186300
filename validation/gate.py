"""The gate: every check of a policy is made, and one verdict comes of it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..eeg.explanation.provenance import sha256_of_all, versions
from ..eeg.recording.options import WindowOptions
from ..eeg.text import plain
from ..engine.contract import InputContract
from ..engine.errors import OnnxplainError
from ..engine.notebook.progress import shown
from ..engine.steps import step
from .case import Case
from .checks import CHECKS
from .opening import open_case
from .other import other_checks, versions_of
from .policy import Policy
from .result import CheckResult
from .shown import shown_of
from .verdict import Verdict, decide


class Gate:
    """A policy, ready to be run on models.

    Parameters
    ----------
    policy : Policy, path-like or None
        A policy, a YAML file, or None for the defaults.
    today : datetime.date, optional
        What waivers are held against; by default the machine's date.

    Examples
    --------
    >>> verdict = Gate("policy.yaml").run("model.onnx", "recording.edf")  # doctest: +SKIP
    >>> verdict.status  # doctest: +SKIP
    'PASS'
    """

    def __init__(
        self, policy: Policy | str | Path | None = None, *, today: datetime.date | None = None
    ) -> None:
        if policy is None:
            policy = Policy(version=1)
        self.policy = policy if isinstance(policy, Policy) else Policy.from_file(policy)
        self._today = today

    @shown()
    def run(
        self,
        model: str | Path,
        data: str | Path,
        *,
        contract: InputContract | None = None,
        threads: int | None = None,
        window_options: WindowOptions | None = None,
        subject: str | None = None,
    ) -> Verdict:
        """Hold a model against the policy.

        Parameters
        ----------
        model : path-like
            ONNX file.
        data : path-like
            A recording, or a dataset of several (a subject each).
        contract : InputContract, optional
            In place of the one in the model's metadata.
        threads : int, optional
        window_options : WindowOptions, optional
            How recordings are cut, but for events, which the policy says.
        subject : str, optional
            Where a file's name has the subject: "{subject}_run*.edf" (see `participants.pattern_of`).

        Returns
        -------
        Verdict

        Raises
        ------
        OnnxplainError
            Model or data cannot be used: there is no verdict then, and never a PASS.
        """
        model, data = Path(model), Path(data)
        case = open_case(
            model, data, self.policy, contract=contract, threads=threads, window_options=window_options,
            subject=subject,
        )  # fmt: skip
        return self.judge(case, audit=_audit(case, data, self.policy, threads))

    def judge(self, case: Case, *, audit: Mapping[str, Any] | None = None) -> Verdict:
        """Run the checks on a case that is open already."""
        results: list[CheckResult] = []
        for name, check in CHECKS.items():
            if not getattr(self.policy.checks, name).enabled:
                continue
            step(f"checking: {name}")
            try:
                results += check(case)
            except OnnxplainError as e:
                results.append(
                    CheckResult(name, "technical", "NOT EVALUABLE", plain(e, 300), why_not="error")
                )
        results += other_checks(case, CHECKS)
        waived, expired = self._waived(results)
        verdict = decide(results, waived, self.policy)
        notes = [*case.notes, *expired]
        shown = shown_of(case, results)
        return replace(verdict, notes=(*verdict.notes, *notes), audit=dict(audit or {}), shown=shown)

    def _waived(self, results: Sequence[CheckResult]) -> tuple[dict[str, str], list[str]]:
        today = self._today or datetime.datetime.now(tz=datetime.UTC).date()
        found, notes = {}, []
        for w in self.policy.waivers:
            hit = [
                r.check for r in results if r.status in ("FAIL", "WARNING") and w.check in (r.check, r.family)
            ]
            if w.until < today:
                if hit:
                    notes.append(f"The waiver of {w.check} expired on {w.until}; it does not count any more.")
                continue
            found.update(dict.fromkeys(hit, f"{plain(w.reason, 200)} (until {w.until})"))
        return found, notes


def _audit(case: Case, data: Path, policy: Policy, threads: int | None) -> dict[str, Any]:
    return {
        "model": {"file": plain(case.model.name), "sha256": case.explainer.sha256},
        "data": {"file": plain(data.name), "sha256": sha256_of_all(data)},
        "policy": {"sha256": policy.digest(), "text": policy.model_dump(mode="json")},
        "windows": len(case.windows),
        "subjects": len(set(case.groups)),
        "seed": policy.seed,
        "threads": threads,
        "versions": {**versions(), **versions_of(policy)},
        "made": datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"),
        "decisions": list(case.windows.decisions),
    }
