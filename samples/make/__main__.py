"""Records the samples that are named, or all."""

import asyncio
import sys
from pathlib import Path

from samples.make.recorder import recording
from samples.make.scenarios import SCENARIOS

for name in sys.argv[1:] or SCENARIOS:
    scenario = SCENARIOS[name]
    path = Path(__file__).parent.parent / f"{name}.pcapng"
    with recording(path, scenario.ports, scenario.story):
        asyncio.run(scenario.play())  # type: ignore[arg-type]
    print(f"{path.name}: {path.stat().st_size} octets")
