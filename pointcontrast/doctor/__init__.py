"""Report of what works on this machine and how to fix the rest.

Run with ``python -m pointcontrast.doctor``.

``machine`` checks the machine and the Python environment, ``parts`` the parts of this package.
``__main__`` runs the checks and prints the report.
"""
