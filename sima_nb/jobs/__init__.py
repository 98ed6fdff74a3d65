"""Compiles as jobs in processes of their own: a queue, what is known of each job on disk, and the process itself.

In: a model and the options of a compile. Out: `Job` records that change state until they end. Always holds: a job that
crashes, is killed, or meets a full disk harms no other and leaves no half file; none outlives the server that started
it. Knows no Jupyter.
"""
