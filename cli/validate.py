"""``onnxplain validate``: the deployment gate."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import console, options, output, values

if TYPE_CHECKING:
    from ..validation import Verdict


def _init(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Print a starter policy, whatever else stands on the line."""
    if not value or ctx.resilient_parsing:
        return
    from ..validation.policy import STARTER

    click.echo(STARTER, nl=False)
    ctx.exit()


@click.command("validate")
@options.model
@click.argument("data", type=str, callback=values.checked(partial(values.existing, folder=True)))
@click.option(
    "--init",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_init,
    help="Print a starter policy to standard output.",
)
@click.option(
    "--policy",
    required=True,
    type=str,
    callback=values.checked(values.existing),
    metavar="FILE",
    help="What the model has to pass (YAML); --init prints one to begin with.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write verdict and report to.")
@click.option(
    "--baseline",
    type=str,
    callback=values.checked(values.existing),
    metavar="VERDICT",
    help="A verdict.json of before: what changed is reported.",
)
@click.option(
    "--audit-log",
    type=str,
    callback=values.checked(values.growing),
    metavar="FILE",
    help="An audit log to go on with, hash-chained.",
)
@click.option(
    "--audit-key",
    metavar="VARIABLE",
    help="Environment variable with the key that signs audit records.",
)
@options.subject
@options.contract
@options.tmin
@options.tmax
@options.stride
@options.show_annotations
@options.threads
@options.outcome
@options.dpi
@options.no_report
@options.guarded(timed=True)
def command(
    model: Path,
    data: Path,
    policy: Path,
    out: Path | None,
    baseline: Path | None,
    audit_log: Path | None,
    audit_key: str | None,
    subject: str | None,
    contract: Path | None,
    tmin: float | None,
    tmax: float | None,
    stride: float | None,
    show_annotations: bool,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    overwrite: bool,
    no_report: bool,
) -> int:
    """Hold MODEL against a policy on DATA, a recording or a dataset of several subjects.

    Exit codes: 0 the model passes (also with a warning, unless the policy says otherwise), 1 it fails or
    nothing could be evaluated, 2 model, data or policy cannot be used. There is never a pass by default.
    """
    if out is not None:
        output.check(out, overwrite=overwrite, folder=True)
    from ..eeg.recording.options import WindowOptions
    from ..engine.contract import InputContract
    from ..engine.steps import step

    step("reading the policy")
    from ..validation import Gate, outputs

    gate = Gate(policy)
    key = None if audit_key is None else _key(audit_key)
    stored = None if baseline is None else outputs.read(baseline)
    # A log that cannot be gone on with is refused before the work, and not after it.
    torn = 0 if audit_log is None or not audit_log.exists() else outputs.torn(audit_log, key)
    given = None if contract is None else InputContract.from_file(contract)
    cutting = WindowOptions(tmin=tmin, tmax=tmax, stride=stride, show_annotations=show_annotations)
    verdict = gate.run(model, data, contract=given, threads=threads, window_options=cutting, subject=subject)
    drift = None if stored is None else outputs.drifted(stored, verdict)
    if out is not None:
        from ..eeg.reports.links import reports_beside
        from ..validation.report import write_report

        with output.folder(out, overwrite=overwrite) as folder:
            outputs.write(verdict, folder, drift=drift, chain=audit_log, key=key)
            if not no_report:
                others = reports_beside(out, (verdict.audit.get("model") or {}).get("sha256"))
                write_report(verdict, folder / outputs.REPORT, drift, others)
    elif audit_log is not None:
        outputs.link(verdict, audit_log, key)
    if as_json:
        console.say_json({**verdict.to_dict(), **({} if drift is None else {"drift": drift})})
    elif not quiet:
        for line in _lines(verdict, drift or ()):
            console.say(line)
        if torn:
            console.say(
                f"note: the last record of {audit_log} had no end ({torn} bytes): a run was ended while it "
                "wrote that; the new record took its place, and says so"
            )
        if out is not None:
            console.say(f"written: {out}")
    return verdict.exit_code


def _key(variable: str) -> bytes:
    """The key that signs audit records."""
    from ..engine.errors import InputError

    value = os.environ.get(variable, "")
    if not value:
        raise InputError(f"--audit-key: there is no environment variable {variable}")
    return value.encode()


def _lines(verdict: Verdict, drift: Sequence[str]) -> Iterator[str]:
    """The verdict for a terminal: its reasons, every check, what changed, notes."""
    yield f"{verdict.status}: {verdict.said}"
    for reason in verdict.reasons:
        yield f"  {reason}"
    width = max((len(r.check) for r in verdict.results), default=0)
    for r in verdict.results:
        status = "waived" if r.check in verdict.waived else r.status
        yield f"{r.check:<{width}}  {status:<13}  {r.said}"
    for line in drift:
        yield f"changed: {line}"
    for line in verdict.notes:
        yield f"{'changed' if line in drift else 'note'}: {line}"
