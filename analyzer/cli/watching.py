"""Opens the interface on a live capture, and ends what it began."""

from __future__ import annotations

import argparse

import numpy as np

from analyzer.cli import screen
from analyzer.cli.live import begin, conclude
from analyzer.cli.page import Page, standard_output
from analyzer.live.alerts import Alerts
from analyzer.live.session import Session
from analyzer.times import zone_of


def watch(session: Session, options: argparse.Namespace, alerts: Alerts, until: float, piped: bool) -> int:
    """Run; returns the exit status."""
    # all of it is imported before the right to capture, and perhaps to read these files, is given up
    from analyzer.tui.live import LiveApp

    begin(session)
    if piped:
        screen.keys_from_terminal()
    app = LiveApp(
        session, alerts, zone=zone_of(options.tz), ascii_only=options.ascii, until=until, kept=options.write or ""
    )
    try:
        app.run()
        session.stop()
        while not ((moment := session.poll()) and moment.finished):
            pass
        if app.failure is None:
            shown = np.arange(len(moment.snapshot["connections"]))
            status = conclude(session, moment, options, shown, Page.of(standard_output()))
        else:
            status = screen.ended(app.failure)
        return status
    finally:
        session.stop()
        session.source.close()
