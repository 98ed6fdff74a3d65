"""Advice: what costs time and what would recover it. `findings` ranks; each kind of cause has its module."""
