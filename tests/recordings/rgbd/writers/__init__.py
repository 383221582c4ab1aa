"""Writers of one true recording in every layout of posed depth images.

Each takes an empty or absent folder and frames (``tests.inputs.makers_rgbd.walking_frames`` makes
some) and returns the folder. Depth is written in whole units of the layout.
"""
