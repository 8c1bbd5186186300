"""Options for what is beside the map, where more than one command takes them."""

from __future__ import annotations

import click

from . import values

components = click.option(
    "--components", is_flag=True, help="Split relevance by independent components (ICLabel) too."
)
baselines = click.option(
    "--baselines", is_flag=True, help="Put CSP + LDA, channel power and random weights beside."
)
locked = click.option(
    "--locked",
    metavar="EVENTS",
    type=str,
    callback=values.checked(values.names),
    help="Lock relevance to r-peaks, blinks, saccades, or annotations, e.g. r-peaks,left.",
)
lags = click.option(
    "--lags",
    metavar="FROM,TO",
    type=str,
    callback=values.checked(values.lags),
    help="Seconds from the event, for --locked (default -0.2,0.6, or what windows have of it).",
)
at = click.option(
    "--at",
    metavar="NAMES",
    type=str,
    callback=values.checked(values.names),
    help="Electrodes, sets or regions for --locked, e.g. Pz (default: all).",
)
