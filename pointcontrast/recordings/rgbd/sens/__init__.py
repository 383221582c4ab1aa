"""ScanNet's ``.sens`` files: a whole recording in one file, read in place and written."""
