"""Many compiles of one model: every combination of options, on one machine or on many.

In: a model and values per option. Out: a `SweepTable`. Data order: ``points`` (what to compile), ``finished`` (what an
earlier run has done), ``work`` (one compile, in whatever process), ``executors`` (where), ``running`` (the whole).
"""
