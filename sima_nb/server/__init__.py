"""The Jupyter Server extension: what JupyterLab's viewers ask, answered without a kernel.

In: requests with paths as the contents manager has them. Out: Views as JSON heads and columns, pages of members, jobs.
Always holds: a file is read only where Jupyter itself would show it, by the same reader as in a notebook, and an
archive never goes to the browser. `sima_nb` alone never imports this package; Jupyter Server does.
"""
