"""The dashboard: pages over a live session or its journal and over finished runs, each with its JSON twin.

Importing this package takes the extra `dashboard`.
"""

from triptych.dashboard.heat import ExplainedHeat
from triptych.dashboard.pictures import AbstractHeat
from triptych.dashboard.serving import Config, serve_dashboard

__all__ = ["AbstractHeat", "Config", "ExplainedHeat", "serve_dashboard"]
