"""The one place that states this release's version; packaging, the CLI and archives read it from here."""

__version__ = "0.1.0"
