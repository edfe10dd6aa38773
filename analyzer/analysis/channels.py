"""Which channel an observation of TCP or IP belongs to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from dissectors.tables import Table


def innermost(tables: Mapping[str, Table]) -> npt.NDArray[np.int64]:
    """The channel of each TCP connection, -1 where it has none; with tunnels the last, which stands inside all others.
    One item more than connections, so that -1, which stands for no connection, has no channel either."""
    found = np.full(len(tables["streams"]) + 1, -1, np.int64)
    found[tables["channels"]["stream"]] = np.arange(len(tables["channels"]))  # the last assignment stands
    return found
