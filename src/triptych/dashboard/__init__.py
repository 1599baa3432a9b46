"""The dashboard: pages over a live session or its journal and over finished runs, each with its JSON twin.

Importing this package takes the extra `dashboard`.
"""

from triptych.dashboard.heat import explained_heat
from triptych.dashboard.pictures import Heat
from triptych.dashboard.serving import Config, serve_dashboard

__all__ = ["Config", "Heat", "explained_heat", "serve_dashboard"]
